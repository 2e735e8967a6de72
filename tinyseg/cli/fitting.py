"""Verbs that make a file smaller in memory: lower, fit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyseg.cli import terminal
from tinyseg.cli.options import DATA, FOLDER, JSON, OUTPUT, RECIPE, fail_on

if TYPE_CHECKING:
    from tinyseg.steps.candidates import Candidate
    from tinyseg.steps.engine_fit import EngineFit
    from tinyseg.steps.fit_board import Fitted
    from tinyseg.tflite.lowering import Lowered


@click.command()
@click.argument("file", metavar="FILE.tflite|MODEL|FILE.keras")
@DATA
@RECIPE
@click.option(
    "--patches", is_flag=True, help="Cut the network into strips: less memory, more work."
)
@click.option(
    "--max-work",
    type=click.FloatRange(1),
    default=1.6,
    show_default=True,
    help="Multiply-accumulates that strips may take, times those of the file.",
)
@click.option("--without", multiple=True, metavar="PASS", help="Leave out a pass.")
@click.option(
    "--engine",
    type=click.Choice(["tflm", "tinyseg"]),
    default="tflm",
    show_default=True,
    help="tinyseg: leave out the passes that help TensorFlow Lite Micro alone, and undo them.",
)
@click.option("-o", "--output", type=FOLDER, help="File to write.")
@JSON
def lower(
    file: str,
    data: str | None,
    recipe: str,
    patches: bool,
    max_work: float,
    without: tuple[str, ...],
    engine: str,
    output: Path | None,
    as_json: bool,
) -> None:
    """Rewrite a file so that it needs less memory and work, with the same output bytes.

    \b
    Examples:
      tinyseg lower attention_unet_ds -o smaller.tflite
      tinyseg lower path/to/model.tflite --patches --without broadcasts
    """
    from tinyseg.steps import lower as step
    from tinyseg.steps.integer_file import read_model

    model = read_model(file, data, recipe)
    lowered, target = step.lower(
        model, output, without=without, patches=patches, max_work=max_work, engine=engine
    )
    if as_json:
        steps = [step._asdict() for step in lowered.steps]
        terminal.print_json({"file": str(target), "steps": steps})
        return
    _print_steps(lowered, model.path)
    click.echo(target)


@click.command()
@click.argument("model", metavar="FILE.tflite|MODEL|FILE.keras")
@click.option("--board", metavar="BOARD", help="Board to fit; see 'tinyseg boards'.")
@click.option("--ram", metavar="BYTES", help="The network's RAM instead of a board's, e.g. 256K.")
@click.option("--flash", metavar="BYTES", help="Its flash instead of a board's, e.g. 1M.")
@click.option(
    "--engine",
    type=click.Choice(["tinyseg", "tflm"]),
    help="Only with this engine; with either if not given.",
)
@click.option("--channels", type=click.Choice(["1", "3"]), help="Channels of a proposed network.")
@click.option("--propose", is_flag=True, help="Propose sizes even if the file fits.")
@click.option("--train", is_flag=True, help="Train and quantize the first proposal.")
@DATA
@RECIPE
@OUTPUT
@JSON
def fit(
    model: str,
    board: str | None,
    ram: str | None,
    flash: str | None,
    engine: str | None,
    channels: str | None,
    propose: bool,
    train: bool,
    data: str | None,
    recipe: str,
    output: Path | None,
    as_json: bool,
) -> None:
    """Make a network fit a board, or say why it cannot and which sizes would.

    tinyseg's own engine takes the file as it is, and computes some rows again if it is too large
    otherwise. For TensorFlow Lite Micro it is lowered, and cut into strips if neither engine takes
    it otherwise. What is still too large needs another base width, depth or input size: those whose
    tensor arena fits are proposed, their cost computed without training; with --engine tinyseg
    those whose rows fit, each computed once.

    \b
    Examples:
      tinyseg fit attention_unet_ds --board nucleo_h743zi
      tinyseg fit path/to/model.tflite --ram 256K --flash 1M
      tinyseg fit attention_unet_ds --board nrf52840_dk --train --data path/to/images
    """
    from tinyseg.steps.fit_board import Limits, fit_board

    then = "train" if train else "propose" if propose else ""
    size = None if channels is None else int(channels)
    limits = Limits(board, ram, flash, engine)
    fitted = fit_board(model, limits, data, recipe, then=then, channels=size, folder=output)
    if as_json:
        terminal.print_json(fitted.as_dict())
    else:
        _print_fitted(fitted)
    fail_on(fitted.failures)


def _print_fitted(fitted: Fitted) -> None:
    if fitted.lowered and fitted.source:
        _print_steps(fitted.lowered, f"{fitted.source.path}, lowered for TensorFlow Lite Micro")
    if fitted.engines and fitted.source:
        _print_engines(fitted.engines, fitted.source.path)
    if fitted.proposals is not None:
        _print_proposals(fitted.name, fitted.proposals)
    if fitted.file:
        click.echo(f"fits with --engine {fitted.engine}: {fitted.file}")


def _print_engines(engines: Sequence[EngineFit], title: str) -> None:
    from tinyseg.reporting.numbers import size

    terminal.print_table(
        ["engine", "RAM", "flash", "work", "fits"],
        [
            [
                fit.engine,
                size(fit.ram_bytes),
                size(fit.flash_bytes),
                "-" if fit.work is None else f"{fit.work:.3f} times",
                "yes" if fit.fits else "no",
            ]
            for fit in engines
        ],
        title=title,
    )


def _print_steps(lowered: Lowered, title: str) -> None:
    from tinyseg.reporting.numbers import count, size

    terminal.print_table(
        ["pass", "changed", "arena (host)", "MACs", "operators", "file"],
        [
            [
                step.name,
                count(step.changed),
                size(step.arena_bytes),
                count(step.macs),
                count(step.operators),
                size(step.file_bytes),
            ]
            for step in lowered.steps
        ],
        title=title,
    )


def _print_proposals(name: str, proposals: Sequence[Candidate]) -> None:
    from tinyseg.reporting.numbers import count, size

    terminal.print_table(
        ["base width", "depth", "input", "memory", "flash", "MACs", "parameters"],
        [
            [
                str(c.base_width),
                str(c.depth),
                f"{c.size}x{c.size}",
                size(c.arena_bytes),
                size(c.file_bytes),
                count(c.macs),
                count(c.parameters),
            ]
            for c in proposals
        ],
        title=f"sizes of {name} that fit, untrained",
    )
