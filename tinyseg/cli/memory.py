"""The verb that predicts the tensor arena of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tinyseg.cli import terminal
from tinyseg.cli.options import DATA, JSON, MAX_WORK, OUTPUT, RECIPE
from tinyseg.errors import InputError


@click.command()
@click.argument("file", metavar="FILE.tflite|MODEL|FILE.keras")
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
    "--engine",
    type=click.Choice(["tflm", "tinyseg"]),
    default="tflm",
    show_default=True,
    help="tflm: TensorFlow Lite Micro's tensor arena. tinyseg: the rows of our own engine.",
)
@MAX_WORK
@click.option(
    "--front", is_flag=True, help="Tell too how little memory more work leaves on tinyseg (slow)."
)
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
    engine: str,
    max_work: float,
    front: bool,
    measure: bool,
    passes: bool,
    output: Path | None,
    as_json: bool,
) -> None:
    """Predict the memory of a file, and show which tensors fill it.

    \b
    Examples:
      tinyseg memory attention_unet_ds --measure
      tinyseg memory attention_unet_ds --passes
      tinyseg memory path/to/model.tflite --board nucleo_h743zi
      tinyseg memory attention_unet_ds --engine tinyseg --front
    """
    from tinyseg.steps.integer_file import read_model

    if engine == "tinyseg":
        from tinyseg.steps.engine_memory import engine_memory

        if passes:
            raise InputError("--passes are those of TensorFlow Lite Micro; take --front")
        rows = engine_memory(
            read_model(file, data, recipe),
            target=target,
            board=board,
            max_work=max_work,
            with_front=front,
            measure=measure,
            folder=output,
        )
        return _show(rows.facts, rows.tables[:3], rows.files, as_json)
    if front or max_work > 1:
        raise InputError("--front and --max-work need --engine tinyseg")
    from tinyseg.steps import memory as step

    arena = step.memory(
        read_model(file, data, recipe),
        target=target,
        board=board,
        measure=measure,
        passes=passes,
        folder=output,
    )
    _show(arena.as_dict(), arena.tables[:3], arena.files, as_json)
    if uncounted := ", ".join(arena.facts["uncounted"]):
        line = f"warning: at least so much: nobody counted what {uncounted} takes; use --measure"
        click.echo(line, err=True)


def _show(
    values: dict[str, Any], tables: list[dict[str, Any]], files: list[Path], as_json: bool
) -> None:
    if as_json:
        terminal.print_json(values)
        return
    for table in tables:
        if table["rows"]:
            terminal.print_table(table["header"], table["rows"], title=table["title"])
            if table["note"]:
                click.echo(table["note"])
    for path in files:
        click.echo(path)
