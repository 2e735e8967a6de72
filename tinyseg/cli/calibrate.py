"""The verb that chooses an operating point."""

from __future__ import annotations

from pathlib import Path

import click

from tinyseg.cli import terminal
from tinyseg.cli.options import BACKENDS, DATA, JSON, OUTPUT


@click.command()
@click.argument("model_or_file")
@DATA
@click.option(
    "--wish",
    required=True,
    metavar="WISH",
    help="most-dice (over all images), at-most-false-alarms=N (per 100 healthy images), or "
    "no-missed-lesion.",
)
@click.option(
    "--fold",
    "folds",
    multiple=True,
    metavar="FILE",
    help="A network of another fold, whose validation images decide too; may be repeated.",
)
@click.option(
    "--mirrored/--once",
    default=None,
    help="Whether the mean of an image and its mirror image decides, for twice the work; as MODEL "
    "does by now if not given.",
)
@click.option("--backend", type=BACKENDS, help="Of a .tflite file: as of 'tinyseg evaluate'.")
@OUTPUT
@JSON
def calibrate(
    model_or_file: str,
    data: str | None,
    wish: str,
    folds: tuple[str, ...],
    mirrored: bool | None,
    backend: str | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Choose where the probabilities of a network become masks, and store that with it.

    The validation images decide, never the test images. MODEL_OR_FILE keeps the point in its
    metadata and in the plan beside it: 'predict', 'evaluate', 'demo', 'export-c' and firmware obey.

    \b
    Examples:
      tinyseg calibrate build/run/lw_unet.tflite --wish most-dice
      tinyseg calibrate build/run/weights.h5 --wish at-most-false-alarms=15 --mirrored
    """
    from tinyseg.reporting.calibration_report import HEADER, rows
    from tinyseg.steps import calibrate as step
    from tinyseg.steps.session import Session

    session, others = Session.open(model_or_file, data), [Session.open(one) for one in folds]
    found = step.calibrate(session, wish, others, output, backend, mirrored).as_dict()
    if as_json:
        terminal.print_json(found)
        return
    terminal.print_table(list(HEADER), rows(found), title=f"{found['images']} validation images")
    if found["presence_auc"] is not None:
        click.echo(f"a lesion is there or not: AUC {found['presence_auc']:.3f}")
    click.echo(found["page"])
