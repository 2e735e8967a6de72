"""The verb that predicts the tensor arena of a file."""

from __future__ import annotations

from pathlib import Path

import click

from tinyseg.cli import terminal
from tinyseg.cli.options import DATA, JSON, OUTPUT, RECIPE


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
    "--measure",
    is_flag=True,
    help="Measure it too: on this machine, or on an emulated board if one is named.",
)
@click.option(
    "--passes", is_flag=True, help="Show too what each pass of 'tinyseg lower' would save (slow)."
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
    from tinyseg.steps import memory as step
    from tinyseg.steps.integer_file import read_model

    arena = step.memory(
        read_model(file, data, recipe),
        target=target,
        board=board,
        measure=measure,
        passes=passes,
        folder=output,
    )
    if as_json:
        terminal.print_json(arena.as_dict())
    else:
        for table in arena.tables[:3]:
            if table["rows"]:
                terminal.print_table(table["header"], table["rows"], title=table["title"])
                if table["note"]:
                    click.echo(table["note"])
        for path in arena.files:
            click.echo(path)
    if uncounted := ", ".join(arena.facts["uncounted"]):
        line = f"warning: at least so much: nobody counted what {uncounted} takes; use --measure"
        click.echo(line, err=True)
