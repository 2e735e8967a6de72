"""Verbs on boards: export, compile, emulate, flash, talk to them."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tinyseg.cli import terminal
from tinyseg.cli.options import (
    COUNT,
    DATA,
    ENGINE,
    JSON,
    MAX_WORK,
    OUTPUT,
    RECIPE,
    fail_on,
    leading,
    stated_options,
)

if TYPE_CHECKING:
    from tinyseg.steps.border import Stated


def _with_firmware(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """Refuse a board without firmware before anything of the model is looked for."""
    from tinyseg.boards import load_board

    load_board(value).need_port()
    return value


BOARD = click.option(
    "--board",
    required=True,
    callback=_with_firmware,
    help="A board's name; see 'tinyseg boards'.",
)
MODEL = click.argument("model", metavar="MODEL|FILE.tflite|FILE.keras")


@click.command()
@JSON
def boards(as_json: bool) -> None:
    """List the boards: processor, memory, and whether there is firmware and an emulator.

    No tensor arena is larger than the largest RAM. With --json: exact bytes, what is left for a
    network, every memory, and the sources of the figures.
    """
    from tinyseg import boards as known

    rows = [known.load_board(name) for name in known.board_names()]
    if as_json:
        terminal.print_json([board.as_dict() for board in rows])
        return
    terminal.print_table(
        ["board", "name", "core", "MHz", "flash", "RAM", "largest", "emulated by", "firmware"],
        [
            [
                b.name,
                b.title,
                b.core,
                f"{b.clock_hz / 1e6:g}",
                _size(b.flash_bytes),
                _size(b.ram_bytes),
                _size(b.largest_ram),
                "itself" if b.machine else b.emulated_by or "-",
                f"{b.baud} baud" if b.ported else "no firmware yet",
            ]
            for b in rows
        ],
    )


@click.command()
@JSON
def doctor(as_json: bool) -> None:
    """List every tool that firmware work needs, and how to get the missing ones."""
    import dataclasses

    from tinyseg.boards import tools

    found = tools.survey()
    if as_json:
        terminal.print_json([dataclasses.asdict(tool) for tool in found])
        return
    terminal.print_table(
        ["tool", "for", "found"],
        [[t.name, t.purpose, t.version or t.found or f"missing: {t.cure}"] for t in found],
    )


@click.command("export-c")
@MODEL
@DATA
@RECIPE
@stated_options
@click.option(
    "--board", help="Reserve the tensor arena that 'tinyseg memory' predicts for this board."
)
@click.option("--arena", type=click.IntRange(1), help="Bytes of tensor arena, if you know better.")
@click.option(
    "--engine",
    type=click.Choice(["tflm", "tinyseg"]),
    default="tflm",
    show_default=True,
    help="Source for TensorFlow Lite Micro, or a folder with tinyseg's own engine that needs "
    "nothing else: CMake, Arduino, Zephyr.",
)
@MAX_WORK
@OUTPUT
@JSON
def export_c(
    model: str,
    data: str | None,
    recipe: str,
    board: str | None,
    arena: int | None,
    engine: str,
    max_work: float,
    output: Path | None,
    as_json: bool,
    stated: Stated,
) -> None:
    """Write a file as C++ source: model, memory, input table, operators.

    \b
    Examples:
      tinyseg export-c attention_unet_ds -o build/c
      tinyseg export-c attention_unet_ds_256k --board nucleo_h743zi
      tinyseg export-c attention_unet_ds_256k --engine tinyseg -o my_library
    """
    from tinyseg.steps import firmware as step
    from tinyseg.steps.session import Session

    session = Session.open_file(model, data, recipe).stating(stated)
    paths, size = step.export_c(session, output, board, arena, engine, max_work)
    if as_json:
        terminal.print_json({"files": [str(p) for p in paths], "arena_bytes": size.size})
        return
    click.echo(f"{step.MEMORY[engine]}: {size.size:,} bytes ({size.source})")
    for written in paths:
        click.echo(written)


@click.command("firmware")
@MODEL
@BOARD
@DATA
@RECIPE
@ENGINE
@MAX_WORK
@stated_options
@JSON
def make_firmware(
    model: str,
    board: str,
    data: str | None,
    recipe: str,
    engine: str,
    max_work: float,
    as_json: bool,
    stated: Stated,
) -> None:
    """Compile firmware with a model for a board.

    \b
    Example: tinyseg firmware attention_unet_ds --board mps3_an547
    """
    from tinyseg.steps import firmware as step
    from tinyseg.steps.session import Session

    session = Session.open_file(model, data, recipe).stating(stated)
    made = step.make_firmware(session, board, engine, max_work)
    if as_json:
        terminal.print_json(made.as_dict())
        return
    sizes = made.footprint
    terminal.print_table(
        ["memory", "bytes", "of"],
        [
            ["code and constants", f"{sizes.text:,}", ""],
            ["model", f"{sizes.model:,}", ""],
            [step.MEMORY[engine], f"{made.arena.size:,}", made.arena.source],
            *([u.region, f"{u.used:,}", f"{u.length:,}"] for u in sizes.regions if u.used),
        ],
        title=f"{made.model.path} for {made.board.title}",
    )
    click.echo(made.image.elf)


@click.command()
@MODEL
@BOARD
@DATA
@RECIPE
@ENGINE
@MAX_WORK
@stated_options
@COUNT
@click.option(
    "--serve", type=click.IntRange(1, 65535), metavar="PORT", help="Keep running; listen there."
)
@JSON
def emulate(
    model: str,
    board: str,
    data: str | None,
    recipe: str,
    engine: str,
    max_work: float,
    images: int,
    serve: int | None,
    as_json: bool,
    stated: Stated,
) -> None:
    """Run a model on an emulated board: test images, Dice, instructions of each operator.

    \b
    Examples:
      tinyseg emulate attention_unet_ds --board mps2_an500 --images 2
      tinyseg emulate attention_unet_ds --board mps2_an500 --serve 5555
    """
    from tinyseg.steps import emulate as step
    from tinyseg.steps.session import Session

    session = Session.open_file(model, data, recipe).stating(stated)
    if serve:
        made = step.emulated_firmware(session, board, engine, max_work)
        click.echo(
            f"{made.board.name} serves {made.model.path} at socket://127.0.0.1:{serve}; "
            "Ctrl-C ends it",
            err=as_json,
        )
        step.serve(made.board, made.image.elf, serve)
        return
    record = step.emulate(session, board, images, engine, max_work)
    if as_json:
        terminal.print_json(record)
    else:
        _print_emulated(record, session.file)
    fail_on(record["failures"])


def _print_emulated(record: dict[str, Any], file: Path) -> None:
    """Print what a file did on an emulated board, see :func:`tinyseg.steps.emulate.emulate`."""
    from tinyseg.steps.firmware import MEMORY

    terminal.print_table(
        ["quantity", "value"],
        [
            ["instructions, mean", f"{record['instructions_mean']:,.0f}"],
            [
                MEMORY[record["engine"]],
                f"{record['arena_used']:,} of {record['arena_size']:,} bytes",
            ],
            ["stack", f"{record['stack_used']:,} of {record['stack_size']:,} bytes"],
            *([title, f"{value:.4f}"] for title, value in leading(record["scores"] or {})),
            ["output bytes", record["compared"]["text"]],
        ],
        title=f"{file} on {_where(record)}, {len(record['images'])} images",
    )
    top = sorted(record["operators"], key=lambda row: -row["instructions"])[:8]
    terminal.print_table(
        ["#", "operator", "layer", "instructions", "per MAC"],
        [
            [
                str(row["index"]),
                row["opcode"],
                row["layer"],
                f"{row['instructions']:,}",
                f"{row['instructions'] / row['macs']:.2f}" if row["macs"] else "-",
            ]
            for row in top
        ],
        title="What takes longest",
    )


def _where(record: dict[str, Any]) -> str:
    """Return the board that the user named, and the one that stands in for it."""
    asked, board = record["asked"], record["board"]
    return board if asked == board else f"{asked}, emulated by {board}"


@click.command()
@MODEL
@BOARD
@DATA
@RECIPE
@ENGINE
@MAX_WORK
@stated_options
@click.option("--tool", help="Flash with this tool; the first installed one by default.")
@click.option("--dry-run", is_flag=True, help="Print the command and stop; nothing is compiled.")
def flash(
    model: str,
    board: str,
    data: str | None,
    recipe: str,
    engine: str,
    max_work: float,
    tool: str | None,
    dry_run: bool,
    stated: Stated,
) -> None:
    """Compile firmware and write it to a board.

    \b
    Example: tinyseg flash attention_unet_ds --board nucleo_h743zi --dry-run
    """
    from tinyseg.steps import firmware as step
    from tinyseg.steps.session import Session

    session = Session.open_file(model, data, recipe).stating(stated)
    if dry_run:
        plan = step.plan_flash(session, board, engine, tool, max_work)
        click.echo(shlex.join(plan.command))
        if plan.missing:
            click.echo(f"warning: {plan.missing}", err=True)
        return
    ready = step.prepare_flash(session, board, engine, tool, max_work)
    click.echo(shlex.join(ready.command))
    ready.run()


def _size(length: int) -> str:
    return f"{length >> 20} MB" if length % (1 << 20) == 0 else f"{length >> 10:,} KB"
