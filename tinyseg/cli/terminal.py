"""What the command line prints, how it keeps C++ libraries from printing, and how it ends."""

from __future__ import annotations

import atexit
import faulthandler
import gc
import json
import logging
import os
import sys
from collections.abc import Iterator
from typing import Any

import click

# More columns than any table has.
_WIDEST = 10_000
# New objects after which Python looks for garbage; 700 unless told otherwise.
_OBJECTS = 20_000


def collect_seldom() -> None:
    """Make Python look for garbage less often, and at the end of the process not at all.

    TensorFlow's import makes some 700,000 objects that stay. To look through them again and again,
    and once more at the end, takes almost two seconds of a verb.
    """
    gc.set_threshold(_OBJECTS)
    atexit.register(gc.freeze)


def quiet(verbose: bool) -> None:
    """Send our log to stderr and, unless verbose, what C++ libraries write there nowhere.

    TensorFlow prints from C++ before and after any log level takes effect, so its file
    descriptor is redirected; Python's stderr moves to a copy of the original.
    """
    if not verbose:
        sys.stderr.flush()
        sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8", errors="replace")
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, 2)
        os.close(sink)
    # A crash in C++ would now be silent: leave at least Python's stack.
    faulthandler.enable(sys.stderr)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger = logging.getLogger("tinyseg")
    logger.handlers = [handler]
    logger.setLevel(logging.DEBUG if verbose else logging.INFO)
    logger.propagate = False


def print_json(value: Any) -> None:
    """Print one JSON document on stdout."""
    click.echo(json.dumps(value, indent=2, allow_nan=False))


def print_table(header: list[str], rows: list[list[str]], title: str = "") -> None:
    """Print a table on stdout; columns of numbers are aligned right, those of text left.

    No name and no number is broken: where a terminal is too narrow, each row becomes a few lines.
    """
    from rich import box
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for index, name in enumerate(header):
        is_text = index == 0 or not any(row[index][:1].isdigit() for row in rows)
        table.add_column(name, justify="left" if is_text else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    shown = sys.stdout.isatty()
    console = Console(file=sys.stdout, force_terminal=shown)
    # A pipe has no width; give lines the room they need there.
    unbound = console.options.update_width(_WIDEST)
    needed = Measurement.get(console, unbound, table).maximum
    if title:
        click.echo(title)
    if shown and needed > console.width:
        click.echo("\n".join(_records(header, rows)))
    else:
        console.width = max(console.width, needed)
        console.print(table)


def _records(header: list[str], rows: list[list[str]]) -> Iterator[str]:
    """Give each row as lines of one value, its first cell above them."""
    side = max((len(name) for name in header[1:]), default=0)
    for row in rows:
        yield f"\n{row[0]}"
        for name, cell in zip(header[1:], row[1:], strict=True):
            if cell:
                yield f"  {name:<{side}}  {cell}"
    yield ""
