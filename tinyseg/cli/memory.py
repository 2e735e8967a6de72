"""The verb that predicts the tensor arena of a file."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tinyseg import terminal
from tinyseg.cli.options import DATA, JSON, OUTPUT, RECIPE

if TYPE_CHECKING:
    from tinyseg.tflite import TfliteModel


@click.command()
@click.argument("file", metavar="FILE.tflite|MODEL")
@DATA
@RECIPE
@click.option(
    "--target",
    type=click.Choice(["host", "cortex_m", "cortex_m55"]),
    default="host",
    show_default=True,
    help="host: the interpreter on this machine, reference kernels. cortex_m: CMSIS-NN's kernels "
    "on Cortex-M4, M7, M33. cortex_m55: those with vector instructions.",
)
@click.option("--board", metavar="BOARD", help="Predict for this board; see 'tinyseg boards'.")
@click.option(
    "--measure",
    is_flag=True,
    help="Measure it too: on this machine, or on an emulated board if one is named.",
)
@click.option(
    "--passes", is_flag=True, help="Tell too what each pass of 'tinyseg lower' would save (slow)."
)
@OUTPUT
@JSON
def memory(
    file: str,
    data: str | None,
    recipe: str,
    target: str,
    board: str | None,
    measure: bool,
    passes: bool,
    output: Path | None,
    as_json: bool,
) -> None:
    """Predict the tensor arena of a file, and show which tensors fill it.

    \b
    Examples:
      tinyseg memory attention_unet_ds --measure
      tinyseg memory attention_unet_ds --passes
      tinyseg memory path/to/model.tflite --board nucleo_h743zi
    """
    from tinyseg import presets
    from tinyseg.boards import load
    from tinyseg.errors import InputError
    from tinyseg.tflite import TfliteModel
    from tinyseg.tflite.arena.memory import facts, predict
    from tinyseg.tflite.lint import usable

    if board is not None:
        target = load(board).target
    elif measure and target != "host":
        raise InputError(f"--measure for {target} needs an emulated board: add --board")
    model = TfliteModel.read(presets.find_tflite(file, data, recipe))
    findings = usable(model, floats=True)
    # Drawing takes a while to import; damaged files need none.
    from tinyseg.reporting import memory_chart

    values = facts(model, predict(model, target))
    values["measured"] = _measure(model, board) if measure else None
    savings = _savings(model) if passes else []
    if passes:
        values["savings"] = [{"pass": name, "bytes": saved} for name, saved in savings]
    paths = memory_chart.write(values, output or presets.BUILD / "memory", savings)
    if as_json:
        terminal.print_json(values)
    else:
        for table in memory_chart.tables(values, savings)[:3]:
            if table["rows"]:
                terminal.print_table(table["header"], table["rows"], title=table["title"])
                if table["note"]:
                    click.echo(table["note"])
        for path in paths:
            click.echo(path)
    for finding in findings:
        if finding.severity == "unsupported":
            click.echo(f"warning: {finding}", err=True)


def _measure(model: TfliteModel, board: str | None) -> dict[str, Any]:
    """Sizes in bytes; a board tells the total alone."""
    if board is None:
        from tinyseg.runtime.tflm import TflmRunner

        arena = TflmRunner(model).arena
        sizes = {"total_bytes": arena.total, "head_bytes": arena.head, "tail_bytes": arena.tail}
        return {"by": "TFLM on this machine", **sizes}
    from tinyseg.boards.firmware import booted
    from tinyseg.workflow import plan_of

    plan, _ = plan_of(model.path)
    with booted(model, plan.preprocessing, board) as runner:
        used = runner.refresh().arena_used
    return {"by": board, "total_bytes": used, "head_bytes": None, "tail_bytes": None}


def _savings(model: TfliteModel) -> list[tuple[str, int]]:
    """Return the bytes of arena that each pass saves after those before it; strips come last."""
    from tinyseg.progress import counter
    from tinyseg.tflite.lowering import lower

    with counter("searching schedules") as progress:
        steps = lower(model, patches=True, progress=progress).steps
    return [
        (after.name, before.arena_bytes - after.arena_bytes)
        for before, after in itertools.pairwise(steps)
    ]
