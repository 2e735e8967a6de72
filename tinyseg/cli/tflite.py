"""Verbs on ``.tflite`` files: make, verify, compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tinyseg.cli import terminal
from tinyseg.cli.options import (
    CHECKED,
    DATA,
    DRY_RUN,
    ENGINE,
    JSON,
    MAX_DROP,
    MAX_WORK,
    ON,
    OUTPUT,
    RECIPE,
    SET,
    SIZE,
    SPLIT,
    UNSAFE,
    fail_on,
    parse_settings,
    size_changes,
    stated_options,
)

if TYPE_CHECKING:
    from tinyseg.steps.border import Stated
    from tinyseg.steps.run import Run


@click.command()
@click.argument("model", metavar="MODEL|FILE.keras")
@DATA
@SIZE
@UNSAFE
@click.option("--weights", type=click.Path(path_type=Path), help="Weights file to quantize.")
@click.option(
    "--recipe",
    help="static_wi8_ai8 (the default), static_wi8_ai16 (int16 activations), or qat_wi8_ai8 "
    "(goes on training with the rounding in place).",
)
@click.option(
    "--weights-bits",
    type=click.IntRange(2, 8),
    help="Cluster the weights of each channel and store so many bits of each; the values are "
    "trained on unless --recipe says otherwise.",
)
@click.option(
    "--target",
    type=click.Choice(["standard", "xnor"]),
    help="xnor: write a second file, whose convolutions of signs are the firmware's own operator, "
    "for cores without vector instructions.",
)
@click.option(
    "--lower",
    type=click.Choice(["none", "exact", "patches"]),
    help="exact: apply the passes of 'tinyseg lower', which change no output byte. patches: cut "
    "the network into strips too, for less memory and more work.",
)
@click.option("--float-io", is_flag=True, help="Keep float32 input and output.")
@SET
@SPLIT
@OUTPUT
@MAX_DROP
@CHECKED
@click.option(
    "--profile/--no-profile",
    default=None,
    help="Insist on MLTK's profile, or leave it out.  [default: where MLTK is installed]",
)
@ON
@DRY_RUN
@JSON
def quantize(
    model: str,
    data: str | None,
    size: int | None,
    unsafe: bool,
    weights: Path | None,
    recipe: str | None,
    weights_bits: int | None,
    target: str | None,
    lower: str | None,
    float_io: bool,
    settings: tuple[str, ...],
    split: str | None,
    output: Path | None,
    max_drop: float | None,
    images: int,
    profile: bool | None,
    board: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Make MODEL a full-integer .tflite file; score, verify, profile and report it.

    MODEL is a network's name, or a Keras model of yours: a .keras or .h5 file, or the folder of a
    SavedModel.

    \b
    Examples:
      tinyseg quantize attention_unet_ds
      tinyseg quantize path/to/mine.keras --data path/to/images
      tinyseg quantize attention_unet_ds --data path/to/images --recipe static_wi8_ai16
      tinyseg quantize attention_unet_ds --weights-bits 4
    """
    from tinyseg import plan as plans
    from tinyseg.steps import quantize as step
    from tinyseg.steps.session import Session

    changes = {
        "quantization.recipe": recipe or step.recipe_for(weights_bits),
        "quantization.weight_bits": weights_bits,
        "quantization.target": target,
        "quantization.lower": lower,
        "quantization.io": "float32" if float_io else None,
        **size_changes(size),
        **parse_settings(settings),
    }
    session = Session.to_quantize(
        model, data, changes, weights=weights, split_file=split, unsafe=unsafe
    )
    if dry_run:
        terminal.print_json(plans.as_dict(session.plan))
        return
    made = step.quantize(
        session,
        output,
        verify_images=images,
        max_drop=max_drop,
        profiled=profile,
        board=board,
    )
    if as_json:
        terminal.print_json(made.as_dict())
    else:
        _print_run(made)
    fail_on(made.failures)


@click.command()
@click.argument("file", metavar="FILE.tflite|MODEL|FILE.keras")
@DATA
@RECIPE
@stated_options
@click.option("--weights", help="Weights, or Keras model, of the float network to compare with.")
@UNSAFE
@ON
@ENGINE
@MAX_WORK
@CHECKED
@MAX_DROP
@JSON
def verify(
    file: str,
    data: str | None,
    recipe: str,
    weights: str | None,
    unsafe: bool,
    board: str | None,
    engine: str,
    max_work: float,
    images: int | None,
    max_drop: float | None,
    as_json: bool,
    stated: Stated,
) -> None:
    """Check that a file runs on TensorFlow Lite Micro with the same bytes and scores.

    \b
    Examples:
      tinyseg verify attention_unet_ds
      tinyseg verify path/to/model.tflite --data path/to/images
      tinyseg verify attention_unet_ds --on mps3_an547
      tinyseg verify attention_unet_ds --on mps2_an500 --engine tflm --images 2
    """
    from tinyseg.reporting.numbers import score, size
    from tinyseg.scoring.scores import SCORES
    from tinyseg.steps import verify as step
    from tinyseg.steps.session import Session

    session = Session.open_file(file, data, recipe, weights=weights, unsafe=unsafe)
    session.stating(stated)
    verdict = step.verify(session, images, max_drop, board, engine, max_work)
    values = verdict.as_dict()
    scored = SCORES[verdict.task][:1] if verdict.task else ()
    if as_json:
        terminal.print_json(values)
    else:
        rows = [
            ["tensor arena", size(values["arena_bytes"])],
            *_bytes_rows(values),
            *_device_rows(values["device"]),
            ["unsupported operators", ", ".join(verdict.unsupported_ops) or "none"],
            *(
                [f"{title}, {verdict.title(name)}", score(value)]
                for key, title in scored
                for name, value in values[key].items()
            ),
            *_rows_of_both_kinds({verdict.title(k): v for k, v in verdict.scores.items()}),
        ]
        title = f"{session.path} on {len(verdict.images)} {'images' if scored else 'inputs'}"
        terminal.print_table(["check", "result"], rows, title=title)
        for line in verdict.warnings:
            click.echo(f"warning: {line}", err=True)
    fail_on(verdict.failures)


def _rows_of_both_kinds(made: Mapping[str, Mapping[str, Any] | None]) -> list[list[str]]:
    """Return what each backend, by its title, makes of images with a lesion and without."""
    from tinyseg.reporting.numbers import false_alarms, missed_lesions, score
    from tinyseg.scoring.scores import lesions

    rows = []
    for title, scores in made.items():
        if scores and scores.get("healthy_images"):
            figures = {
                "Dice with lesion": score(lesions(scores)["dice"]),
                "missed lesions": missed_lesions(scores),
                "false alarms": false_alarms(scores),
            }
            rows += [[f"{what}, {title}", text] for what, text in figures.items()]
    return rows


def _bytes_rows(values: dict[str, Any]) -> list[list[str]]:
    equal = "yes" if values["bit_exact"] else "no"
    if not values["engine_images"]:
        return [["TFLM bytes equal TFLite reference", equal]]
    images = f"{values['tflm_images']} of {len(values['images'])}"
    return [["bytes of engine, TFLM and TFLite reference equal", f"{equal}, on {images}"]]


def _device_rows(device: dict[str, Any] | None) -> list[list[str]]:
    if device is None:
        return []
    mean = sum(device["work"]) / len(device["work"])
    return [
        [f"bytes of {device['board']} equal TFLM", "yes" if device["bit_exact"] else "no"],
        [f"{device['unit']}, mean", f"{mean:,.0f}"],
        ["the same again", "yes" if device["repeatable"] else "no"],
        ["memory used there", f"{device['arena_used']:,} of {device['arena_size']:,} bytes"],
    ]


def _print_run(run: Run) -> None:
    from tinyseg.reporting.run_report import tables

    for table in tables(run.as_dict())[:4]:
        if not table["rows"]:
            continue
        terminal.print_table(table["header"], table["rows"], title=table["title"])
    for name in (run.file, "report.html", "report.md", "report.json", "plan.json"):
        click.echo(run.folder / name)
    for line in run.verdict:
        click.echo(line)


@click.command()
@click.argument("steps", nargs=-1, metavar="[MODEL|RUN]...")
@JSON
def report(steps: tuple[str, ...], as_json: bool) -> None:
    """Compare the sizes of a chain of networks: by formula, on disk, in memory.

    MODEL is a network at its reference size with random weights, RUN a folder of 'tinyseg
    quantize', which adds scores. Without any: BLU-Net's chain, unet, lw_unet and blu_net.

    \b
    Examples:
      tinyseg report
      tinyseg report build/unet/phantom/static_wi8_ai8 build/blu_net/phantom/static_wi8_ai8
    """
    from tinyseg.reporting.numbers import count, score
    from tinyseg.steps import report as step

    rows = step.report(steps or step.CHAIN)
    if as_json:
        terminal.print_json(rows)
        return
    terminal.print_table(
        [
            "network",
            "parameters",
            "by formula",
            "ratio",
            "float32 bytes",
            "int8 bytes",
            "packed bytes",
            "ratio",
            "arena bytes",
            "IoU float",
            "int8",
            "packed",
        ],
        [
            [
                row["name"],
                count(row["parameters"]),
                f"{row['formula_mebibytes']:.5f} MiB",
                f"{row['formula_ratio']:.2f}x",
                count(row["float_bytes"]),
                count(row["int8_bytes"]),
                count(row["packed_bytes"]),
                f"{row['file_ratio']:.2f}x",
                count(row["arena_bytes"]),
                *_iou_cells(row, score),
            ]
            for row in rows
        ],
    )


def _iou_cells(row: dict[str, Any], score: Callable[[float], str]) -> list[str]:
    """A packed file computes what the int8 file does, to the byte."""
    if row["iou"] is None:
        return ["-", "-", "-"]
    integer = score(row["iou"]["integer"])
    return [score(row["iou"]["float"]), integer, integer if row["packed_bytes"] else "-"]
