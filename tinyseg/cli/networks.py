"""Verbs on networks: list, train, score, use, publish."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tinyseg.cli import terminal
from tinyseg.cli.options import (
    BACKENDS,
    CHECKED,
    DATA,
    DRY_RUN,
    FOLDER,
    JSON,
    MLFLOW,
    ON,
    OUTPUT,
    OUTPUT_OR_URL,
    PLAN,
    SEED,
    SET,
    SIZE,
    SPLIT,
    STOP_ON,
    UNSAFE,
    WATCH,
    parse_settings,
    print_trained,
    run_hooks,
    size_changes,
    stated_options,
)
from tinyseg.errors import InputError
from tinyseg.reporting.numbers import false_alarms, missed_lesions, score

if TYPE_CHECKING:
    from tinyseg.steps.border import Stated


@click.command()
@click.argument("names", nargs=-1, metavar="[MODEL]...")
@JSON
def zoo(names: tuple[str, ...], as_json: bool) -> None:
    """List the networks, or some of them, with their size and work.

    \b
    Examples:
      tinyseg zoo
      tinyseg zoo tiny_unet stan --json
    """
    from tinyseg import zoo as networks
    from tinyseg.reporting.numbers import count
    from tinyseg.zoo.figures import describe_network

    rows = [describe_network(name) for name in names or networks.names()]
    if as_json:
        terminal.print_json(rows)
        return
    terminal.print_table(
        ["name", "task", "input", "parameters", "trainable", "MACs", "published form stopped by"],
        [
            [
                row["name"],
                row["task"],
                "x".join(map(str, row["input_shape"])),
                count(row["parameters"]),
                count(row["trainable_parameters"]),
                count(row["macs"]),
                ", ".join(row["stopped_by"]),
            ]
            for row in rows
        ],
    )


@click.command()
@click.argument("model")
@DATA
@PLAN
@SET
@click.option("--weights", metavar="FILE", help="Start from these weights (fine-tuning).")
@click.option("--epochs", type=click.IntRange(1), help="At most so many passes over the images.")
@click.option("--size", type=click.IntRange(8), help="Side of the network's square input.")
@SEED
@SPLIT
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=1,
    help="Processes that train together: started here, or by SLURM, SageMaker or TF_CONFIG.",
)
@OUTPUT_OR_URL
@WATCH
@STOP_ON
@MLFLOW
@DRY_RUN
@JSON
def train(
    model: str,
    data: str | None,
    plan_file: str | None,
    settings: tuple[str, ...],
    weights: str | None,
    epochs: int | None,
    size: int | None,
    seed: int | None,
    split: str | None,
    workers: int,
    output: Path | str | None,
    watch: str,
    stop_on: tuple[str, ...],
    mlflow: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Train MODEL; a run that was interrupted goes on where it stopped.

    \b
    Examples:
      tinyseg train attention_unet_ds
      tinyseg train attention_unet_ds --data busi --epochs 60 --set model.arguments.base_width=16
      tinyseg train attention_unet_ds --data busi --weights build/other/weights.h5
      tinyseg train attention_unet_ds --data s3://bucket/images -o s3://bucket/run
    """
    from tinyseg import plan as plans
    from tinyseg.steps import train as step
    from tinyseg.steps.networks import training_plan

    changes = {
        "data.source": data,
        "training.epochs": epochs,
        "training.initial_weights": weights,
        **size_changes(size),
        "seed": seed,
        **parse_settings(settings),
    }
    plan = training_plan(model, changes, plan_file)
    if dry_run:
        terminal.print_json(plans.as_dict(plan))
        return
    together, hooks = None, run_hooks(watch, stop_on, mlflow)
    if workers > 1:
        from tinyseg.cluster.launching import joined

        if stop_on or mlflow:
            raise InputError(
                f"{'--stop-on' if stop_on else '--mlflow'}: is for one worker; leave it out or "
                "--workers"
            )
        # Rules look at gradients by themselves, which one of several workers cannot.
        together, hooks = joined(workers, str(output or plan.model.name)), []
        if watch != "off" and together.chief:
            click.echo("several workers: no rules watch the training", err=True)
    trained = step.train(plan, output, split, hooks, together)
    if together is None or together.chief:
        print_trained(trained, as_json)


@click.command()
@click.argument("model_or_file")
@DATA
@stated_options
@click.option(
    "--part",
    type=click.Choice(["train", "validation", "test", "all"]),
    default="test",
    show_default=True,
    help="Which part of the data.",
)
@click.option(
    "--backend",
    type=BACKENDS,
    help="Of a .tflite file: tinyseg's engine, the default where it holds the file; TensorFlow "
    "Lite's slow reference kernels, the default elsewhere; TensorFlow Lite Micro itself; or "
    "TensorFlow Lite's optimised kernels, which differ here and there. Boards give the bytes of "
    "the first three.",
)
@SIZE
@UNSAFE
@JSON
def evaluate(
    model_or_file: str,
    data: str | None,
    part: str,
    backend: str | None,
    size: int | None,
    unsafe: bool,
    as_json: bool,
    stated: Stated,
) -> None:
    """Score a network's trained weights, a weights file, a Keras model or a .tflite file.

    Scores of masks are means over images; an image without foreground scores Dice = IoU = 1 if
    nothing is predicted and 0 otherwise. Scores of classes are means over classes.

    \b
    Example: tinyseg evaluate attention_unet_ds --data phantom
    """
    from tinyseg.steps import evaluate as step
    from tinyseg.steps.session import Session

    session = Session.open(model_or_file, data, changes=size_changes(size), unsafe=unsafe)
    scores = step.evaluate(session.stating(stated), part, backend)
    if as_json:
        terminal.print_json(scores)
        return
    title = f"{scores['images']} images, {scores['kernels']}"
    for table in _class_tables(scores) if "confusion" in scores else _mask_tables(scores):
        terminal.print_table(*table, title=title)


def _mask_tables(scores: dict[str, Any]) -> list[tuple[list[str], list[list[str]]]]:
    """Return header and rows for the scores of all masks, then for those of each region."""
    columns = {"mean over images": scores, "pooled": scores["pooled"]}
    if "with_lesion" in scores:
        lesions = scores["with_lesion"]
        columns[f"mean over the {lesions['images']} with lesion"] = lesions
    header = ["score", *columns]
    rows = [
        [name, *(score(values.get(name)) for values in columns.values())]
        for name in (*scores["pooled"], "hd95")
    ]
    if scores["healthy_images"]:
        others = [""] * (len(columns) - 1)
        rows.append(["false alarms, healthy images", false_alarms(scores), *others])
    if scores["lesion_images"]:
        others = [""] * (len(columns) - 1)
        rows.append(["missed, images with lesion", missed_lesions(scores), *others])
    tables = [(header, rows)]
    if scores.get("regions"):
        names = [*scores["pooled"], "hd95"]
        regions = scores["regions"].items()
        lines = [[region, *(score(values[name]) for name in names)] for region, values in regions]
        tables.append((["region", *names], lines))
    return tables


def _class_tables(scores: dict[str, Any]) -> list[tuple[list[str], list[list[str]]]]:
    """Return header and rows for the scores of all classes, of each, and the confusion matrix."""
    single = [[name, score(value)] for name, value in scores.items() if isinstance(value, float)]
    classes = scores["classes"]
    each = [
        [name, *(score(values[key]) for key in ("precision", "recall", "f1")), values["images"]]
        for name, values in classes.items()
    ]
    counts = zip(classes, scores["confusion"], strict=True)
    return [
        (["score", "value"], single),
        (
            ["class", "precision", "recall", "F1", "images"],
            [[str(cell) for cell in r] for r in each],
        ),
        (
            ["is", *(f"said to be {name}" for name in classes)],
            [[name, *map(str, row)] for name, row in counts],
        ),
    ]


@click.command()
@click.argument("model_or_file")
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@DATA
@stated_options
@click.option(
    "--backend",
    type=BACKENDS,
    help="Of a .tflite file: as of 'tinyseg evaluate', but TensorFlow Lite's optimised kernels "
    "where tinyseg's engine does not hold the file.",
)
@SIZE
@UNSAFE
@OUTPUT
@JSON
def predict(
    model_or_file: str,
    images: tuple[Path, ...],
    data: str | None,
    backend: str | None,
    size: int | None,
    unsafe: bool,
    output: Path | None,
    as_json: bool,
    stated: Stated,
) -> None:
    """Write masks, overlays and a table of areas for IMAGES, files or folders.

    MODEL_OR_FILE is a network's name, its weights, a Keras model or a .tflite file; --data chooses
    among weights that were trained on different data. A network that classifies gives a table of
    classes.

    \b
    Examples:
      tinyseg predict attention_unet_ds scan.png -o build/masks
      tinyseg predict path/to/model.tflite path/to/images
    """
    from tinyseg.steps import predict as step
    from tinyseg.steps.session import Session

    session = Session.open(model_or_file, data, changes=size_changes(size), unsafe=unsafe)
    rows, table = step.predict(session.stating(stated), images, output, backend)
    if as_json:
        terminal.print_json(rows)
        return
    terminal.print_table(list(rows[0]), [[str(cell) for cell in row.values()] for row in rows])
    click.echo(table)


@click.command()
@click.argument("model")
@DATA
@click.option("--run", type=click.Path(path_type=Path), help="Folder of the training run.")
@SET
@CHECKED
@ON
@click.option("-o", "--output", type=FOLDER, default=Path("models"), show_default=True)
def publish(
    model: str,
    data: str | None,
    run: Path | None,
    settings: tuple[str, ...],
    images: int | None,
    board: str | None,
    output: Path,
) -> None:
    """Make MODEL's training run the weights that its users start from.

    Quantizes the weights and writes plan, weights, integer file, MLTK report and model card
    to OUTPUT/MODEL/DATA.

    \b
    Examples:
      tinyseg publish attention_unet_ds --data phantom
      tinyseg publish lw_unet --data busi --set quantization.recipe=static_wi8_ai8
    """
    from tinyseg.steps import publish as step

    run = run or step.newest_run(model, data)
    for path in step.publish(run, output, images, board, parse_settings(settings)):
        click.echo(path)
