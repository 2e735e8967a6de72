"""The verb ``profile``: what a file takes, by MLTK or on our own engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tinyseg.cli import terminal
from tinyseg.cli.options import DATA, JSON, OUTPUT, RECIPE


@click.command()
@click.argument("file", metavar="FILE.tflite|MODEL|FILE.keras")
@DATA
@RECIPE
@click.option("--accelerator", help="MVP for Silicon Labs' matrix processor.")
@click.option(
    "--engine",
    type=click.Choice(["mltk", "tinyseg"]),
    default="mltk",
    show_default=True,
    help="MLTK's figures, or instructions by layer of tinyseg's own engine.",
)
@click.option(
    "--core",
    type=click.Choice(["m4", "m7", "m33", "m55"]),
    help="Cortex that the engine runs on; m7 if no board is named.",
)
@click.option("--board", help="Board that the engine runs on: its core, clock and flash.")
@OUTPUT
@JSON
def profile(
    file: str,
    data: str | None,
    recipe: str,
    accelerator: str | None,
    engine: str,
    core: str | None,
    board: str | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Profile a file with Silicon Labs MLTK; write its text report, JSON and CSV.

    With --engine tinyseg, estimate instead how many instructions each layer takes on tinyseg's own
    engine, by what emulated boards have counted, and how many cycles these may take.

    \b
    Examples:
      tinyseg profile path/to/model.tflite -o build/profile
      tinyseg profile path/to/model.tflite --engine tinyseg --core m55
      tinyseg profile path/to/model.tflite --engine tinyseg --board nucleo_h743zi
    """
    from tinyseg.reporting.numbers import count, size
    from tinyseg.steps import profile as step
    from tinyseg.steps.integer_file import read_model

    parsed = read_model(file, data, recipe)
    if engine == "tinyseg":
        target = step.Target.of(core, board)
        _show_engine(step.profile_engine(parsed, target), as_json)
        return
    record, paths = step.profile(parsed, accelerator, output)
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
            [
                "cycles, our engine on a Cortex-M33, a rough estimate",
                _cycles(record["engine_cycles"]),
            ],
            *(
                [f"cycles, lower bound on {key.replace('_', '-')}", count(value)]
                for key, value in record["bound_cycles"].items()
            ),
        ],
        title=f"{parsed.path}, {_origin(record)}",
    )
    for path in paths:
        click.echo(path)


def _origin(record: dict[str, Any]) -> str:
    version = record["mltk_version"]
    return f"MLTK {version}" if version else "counted by tinyseg"


def _show_engine(record: dict[str, Any], as_json: bool) -> None:
    from tinyseg.reporting.numbers import count, percent, size

    if as_json:
        terminal.print_json(record)
        return
    total, milliseconds = record["instructions"], record["milliseconds"]
    rows = [
        [row["layer"], row["opcode"], count(row["macs"]), count(row["instructions"]),
         percent(row["instructions"] / total), _cycles(row["cycles"]), " ".join(row["kernels"])]
        for row in record["operators"]
        if row["instructions"]
    ]  # fmt: skip
    unknown = sorted({row["opcode"] for row in record["operators"] if row["unknown"]})
    rows.append(["", "input and output", "", count(record["border_instructions"]), "", "", ""])
    terminal.print_table(
        ["layer", "operator", "MACs", "instructions", "share", "cycles", "kernels"],
        rows,
        title=f"{record['file']}, tinyseg's engine on a {record['processor']}, estimated",
    )
    terminal.print_table(
        ["quantity", "value"],
        [
            ["instructions, estimated", count(total)],
            ["cycles, a rough estimate", _cycles(record["cycles"])],
            *([["time of them", f"{milliseconds:,.1f} ms"]] if milliseconds else []),
            ["MACs", count(record["macs"])],
            ["RAM, planned, without stack", size(record["ram_bytes"])],
            ["program in flash", size(record["program_bytes"])],
        ],
    )
    if unknown:
        click.echo(f"warning: without {', '.join(unknown)}, which nobody has measured", err=True)


def _cycles(value: int | None) -> str:
    from tinyseg.reporting.numbers import count

    return "not known" if value is None else count(value)
