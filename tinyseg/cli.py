"""The command line: one verb a stage. Work happens elsewhere and is imported when needed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

import tinyseg
from tinyseg import terminal
from tinyseg.errors import GateError, InputError, TinysegError

_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
_DATA = click.option(
    "--data",
    metavar="NAME|PATH",
    help="'phantom' (generated, the default), 'busi', or a folder of images and masks.",
)
_OUTPUT = click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Folder for the results."
)
_SPLIT = click.option("--split", metavar="FILE", help="Use this split file instead of a new split.")
_SET = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change one value of the plan, e.g. training.epochs=5 or model.arguments.base_width=8.",
)
_PLAN = click.option(
    "--plan", "plan_file", metavar="FILE", help="Start from this YAML or JSON plan."
)
_SEED = click.option("--seed", type=click.IntRange(0), help="Seed of weights, order and choices.")
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Print the resolved plan and stop.")
_RECIPE = click.option(
    "--recipe",
    default="static_wi8_ai8",
    show_default=True,
    help="Quantization recipe of the file, where a network is named.",
)
_MAX_DROP = click.option(
    "--max-dice-drop",
    type=float,
    default=0.01,
    show_default=True,
    help="Fail if mean Dice falls by more than this from float to integer.",
)
_COUNT = click.option(
    "--images",
    type=click.IntRange(1),
    default=8,
    show_default=True,
    help="Test images to run through the (slow) reference interpreters.",
)


class _Group(click.Group):
    """Lists verbs in the order of the work, not of the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(tinyseg.__version__, prog_name="tinyseg")
@click.option("-v", "--verbose", is_flag=True, help="Show what TensorFlow and C++ parts print.")
def cli(verbose: bool) -> None:
    """Deploy medical image segmentation networks from Keras to microcontrollers.

    \b
    Examples:
      tinyseg quantize attention_unet_ds
      tinyseg data check path/to/images
      tinyseg train attention_unet_ds --data path/to/images
      tinyseg verify attention_unet_ds

    Exit codes: 0 all well, 1 a gate failed, 2 bad input.
    """
    terminal.quiet(verbose)


@cli.command()
@_JSON
def zoo(as_json: bool) -> None:
    """List the networks with their size and work.

    \b
    Example: tinyseg zoo --json
    """
    from tinyseg.reporting.numbers import count
    from tinyseg.zoo import NETWORKS
    from tinyseg.zoo.summary import summarise

    rows = [summarise(name) for name in NETWORKS]
    if as_json:
        terminal.print_json(rows)
        return
    terminal.print_table(
        ["name", "task", "input", "parameters", "MACs"],
        [
            [
                row["name"],
                row["task"],
                "x".join(map(str, row["input_shape"])),
                count(row["parameters"]),
                count(row["macs"]),
            ]
            for row in rows
        ],
    )


@cli.group()
def data() -> None:
    """Check and divide images."""


@data.command("check")
@click.argument("path")
@_JSON
def data_check(path: str, as_json: bool) -> None:
    """Count images, sizes and classes at PATH and list every problem; exit code 1 on errors.

    \b
    Example: tinyseg data check ../shared/data/busi/Dataset_BUSI_with_GT
    """
    from tinyseg.data.check import check

    report = check(path)
    if as_json:
        terminal.print_json(report.as_dict())
    else:
        click.echo(report.as_text())
    if not report.ok:
        raise GateError(f"{path}: not usable as it is; see the errors above")


@data.command("split")
@click.argument("path")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Split file.")
@_SET
def data_split(path: str, output: Path, settings: tuple[str, ...]) -> None:
    """Divide PATH into training, validation and test, near-duplicates together.

    \b
    Example: tinyseg data split busi -o split.json --set data.split_seed=1
    """
    from tinyseg.plan import Plan, override
    from tinyseg.workflow import open_images

    plan = override(Plan(), {"data.source": path, **_settings(settings)})
    split = open_images(plan)[1].split
    split.write(output)
    sizes = f"{len(split.train)} / {len(split.validation)} / {len(split.test)}"
    click.echo(f"{output}: {sizes} images for training / validation / test")


@cli.command()
@click.argument("model")
@_DATA
@_PLAN
@_SET
@click.option("--epochs", type=click.IntRange(1), help="At most so many passes over the images.")
@click.option("--size", type=click.IntRange(8), help="Side of the network's square input.")
@_SEED
@_SPLIT
@_OUTPUT
@_DRY_RUN
@_JSON
def train(
    model: str,
    data: str | None,
    plan_file: str | None,
    settings: tuple[str, ...],
    epochs: int | None,
    size: int | None,
    seed: int | None,
    split: str | None,
    output: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Train MODEL; a run that was interrupted goes on where it stopped.

    \b
    Examples:
      tinyseg train attention_unet_ds
      tinyseg train attention_unet_ds --data busi --epochs 60 --set model.arguments.base_width=16
    """
    from tinyseg import plan as plans
    from tinyseg import workflow
    from tinyseg.presets import run_folder
    from tinyseg.zoo import network

    network(model)
    changes = {
        "model.name": model,
        "data.source": data,
        "training.epochs": epochs,
        "preprocessing.height": size,
        "preprocessing.width": size,
        "seed": seed,
        **_settings(settings),
    }
    plan = plans.override(plans.read(plan_file) if plan_file else plans.Plan(), changes)
    if dry_run:
        terminal.print_json(plans.as_dict(plan))
        return
    result = workflow.train(plan, output or run_folder(plan, "float"), split)
    if as_json:
        terminal.print_json(result)
        return
    scores = result["validation"]
    click.echo(f"validation Dice {scores['dice']:.4f}, IoU {scores['iou']:.4f}")
    click.echo(f"weights: {result['weights']}")


@cli.command()
@click.argument("model_or_file")
@_DATA
@click.option(
    "--part",
    type=click.Choice(["train", "validation", "test", "all"]),
    default="test",
    show_default=True,
    help="Which part of the data.",
)
@click.option(
    "--backend",
    type=click.Choice(["tflite", "reference", "tflm"]),
    default="tflite",
    show_default=True,
    help="Interpreter of a .tflite file; the latter two are slow.",
)
@_JSON
def evaluate(model_or_file: str, data: str | None, part: str, backend: str, as_json: bool) -> None:
    """Score a network's trained weights, a weights file or a .tflite file.

    Scores are means over images; an image without foreground scores Dice = IoU = 1 if nothing
    is predicted and 0 otherwise.

    \b
    Example: tinyseg evaluate attention_unet_ds --data phantom
    """
    from tinyseg import workflow

    scores = workflow.evaluate(model_or_file, data, part, backend)
    if as_json:
        terminal.print_json(scores)
        return
    names = [name for name in scores if name not in ("pooled", "images")]
    terminal.print_table(
        ["score", "mean over images", "pooled"],
        [[name, f"{scores[name]:.4f}", f"{scores['pooled'][name]:.4f}"] for name in names],
        title=f"{scores['images']} images",
    )


@cli.command()
@click.argument("model")
@_DATA
@click.option("--weights", type=click.Path(path_type=Path), help="Weights file to quantize.")
@click.option(
    "--recipe", help="static_wi8_ai8 (the default) or static_wi8_ai16 (int16 activations)."
)
@click.option("--float-io", is_flag=True, help="Keep float32 input and output.")
@_SET
@_SPLIT
@_OUTPUT
@_MAX_DROP
@_COUNT
@click.option("--no-profile", is_flag=True, help="Leave out MLTK.")
@_DRY_RUN
@_JSON
def quantize(
    model: str,
    data: str | None,
    weights: Path | None,
    recipe: str | None,
    float_io: bool,
    settings: tuple[str, ...],
    split: str | None,
    output: Path | None,
    max_dice_drop: float,
    images: int,
    no_profile: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Make MODEL a full-integer .tflite file; score, verify, profile and report it.

    \b
    Examples:
      tinyseg quantize attention_unet_ds
      tinyseg quantize attention_unet_ds --data path/to/images --recipe static_wi8_ai16
    """
    from tinyseg import plan as plans
    from tinyseg import presets, workflow
    from tinyseg.compression.recipe import parse
    from tinyseg.zoo import network

    network(model)
    parse(recipe or "static_wi8_ai8")
    start = plans.Plan(model=plans.ModelPlan(model))
    plan, weights = workflow.plan_of(str(weights or model), data, start)
    changes = {
        "model.name": model,
        "quantization.recipe": recipe,
        "quantization.io": "float32" if float_io else None,
        **_settings(settings),
    }
    plan = plans.override(plan, changes)
    if dry_run:
        terminal.print_json(plans.as_dict(plan))
        return
    folder = output or presets.run_folder(plan, plan.quantization.recipe)
    run = workflow.quantize(
        plan,
        weights,
        folder,
        split_file=split,
        verify_images=images,
        max_dice_drop=max_dice_drop,
        profiled=not no_profile,
    )
    if as_json:
        terminal.print_json(run)
    else:
        _print_run(run, folder)
    _gate(run["failures"])


@cli.command()
@click.argument("file", metavar="FILE.tflite|MODEL")
@_DATA
@_RECIPE
@click.option("--weights", help="Weights of the float network to compare with.")
@_COUNT
@_MAX_DROP
@_JSON
def verify(
    file: str,
    data: str | None,
    recipe: str,
    weights: str | None,
    images: int,
    max_dice_drop: float,
    as_json: bool,
) -> None:
    """Check that a file runs on TensorFlow Lite Micro with the same bytes and Dice.

    \b
    Examples:
      tinyseg verify attention_unet_ds
      tinyseg verify path/to/model.tflite --data path/to/images
    """
    from tinyseg import presets, workflow
    from tinyseg.reporting.numbers import score, size

    file = str(presets.find_tflite(file, data, recipe))
    verdict = workflow.verify_file(file, data, images, max_dice_drop, weights)
    values = verdict.as_dict()
    if as_json:
        terminal.print_json(values)
    else:
        terminal.print_table(
            ["check", "result"],
            [
                ["tensor arena", size(values["arena_bytes"])],
                ["TFLM bytes equal TFLite reference", "yes" if verdict.bit_exact else "no"],
                ["unsupported operators", ", ".join(verdict.unsupported_ops) or "none"],
                *([f"Dice, {name}", score(value)] for name, value in values["dice"].items()),
            ],
            title=f"{file} on {len(verdict.images)} images",
        )
        for line in verdict.warnings:
            click.echo(f"warning: {line}", err=True)
    _gate(verdict.failures)


@cli.command()
@click.argument("file", metavar="FILE.tflite|MODEL")
@_DATA
@_RECIPE
@click.option("--accelerator", help="MVP for Silicon Labs' matrix processor.")
@_OUTPUT
@_JSON
def profile(
    file: str,
    data: str | None,
    recipe: str,
    accelerator: str | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Profile a file with Silicon Labs MLTK; write its text report, JSON and CSV.

    \b
    Example: tinyseg profile path/to/model.tflite -o build/profile
    """
    from tinyseg import presets
    from tinyseg.profiling import mltk
    from tinyseg.reporting.numbers import count, size
    from tinyseg.tflite import TfliteModel
    from tinyseg.verification.verify import usable

    path = presets.find_tflite(file, data, recipe)
    model = TfliteModel.read(path)
    usable(model, floats=True)
    record, text = mltk.profile(model, accelerator)
    paths = mltk.write(record, text, output or presets.BUILD / "profile", path.stem)
    if as_json:
        terminal.print_json(record)
        return
    cycles = count(record["cycles"]) if record["cycles"] else "no estimate"
    terminal.print_table(
        ["quantity", "value"],
        [
            ["flash (file)", size(record["flash_bytes"])],
            ["RAM", size(record["ram_bytes"])],
            ["MACs", count(record["macs"])],
            ["operations", count(record["ops"])],
            ["layers", count(len(record["layers"]))],
            ["unsupported layers", count(record["unsupported_layers"])],
            ["cycles (MLTK)", cycles],
            *(
                [f"cycles, lower bound on {key.replace('_', '-')}", count(value)]
                for key, value in record["bound_cycles"].items()
            ),
        ],
        title=f"{path}, MLTK {record['mltk_version']}",
    )
    for path in paths:
        click.echo(path)


@cli.command()
@click.argument("model")
@_DATA
@click.option("--run", type=click.Path(path_type=Path), help="Folder of the training run.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), default=Path("models"), show_default=True
)
def publish(model: str, data: str | None, run: Path | None, output: Path) -> None:
    """Make MODEL's training run the weights that its users start from.

    Quantizes the weights and writes plan, weights, integer file, MLTK report and model card
    to OUTPUT/MODEL.

    \b
    Example: tinyseg publish attention_unet_ds --data phantom
    """
    from tinyseg import presets
    from tinyseg.publishing import publish as publish_run

    run = run or presets.BUILD / model / presets.slug(data or "phantom") / "float"
    for path in publish_run(run, output):
        click.echo(path)


def _settings(settings: tuple[str, ...]) -> dict[str, Any]:
    import yaml

    values = {}
    for setting in settings:
        key, separator, value = setting.partition("=")
        if not separator:
            raise InputError(f"--set {setting}: expected KEY=VALUE")
        try:
            values[key] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise InputError(f"--set {setting}: '{value}' is not a YAML value") from None
    return values


def _print_run(run: dict[str, Any], folder: Path) -> None:
    from tinyseg.reporting.report import tables

    for table in tables(run)[:3]:
        terminal.print_table(table["header"], table["rows"], title=table["title"])
    for name in (run["file"], "report.html", "report.md", "report.json", "plan.json"):
        click.echo(folder / name)


def _gate(failures: list[str] | tuple[str, ...]) -> None:
    if failures:
        raise GateError("\n".join(failures))


def main() -> None:
    """Run the command line; every expected failure ends in one line and its exit code."""
    try:
        cli(standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "tinyseg"
        _fail(f"{error.format_message()} (see '{command} --help')", 2)
    except (click.Abort, KeyboardInterrupt):
        _fail("interrupted; nothing was left half-written", 130)
    except TinysegError as error:
        _fail(str(error), error.exit_code)
    except OSError as error:
        _fail(f"{error.filename or 'file'}: {error.strerror or error}", 2)


def _fail(message: str, code: int) -> None:
    for line in message.splitlines():
        print(f"tinyseg: {line}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
