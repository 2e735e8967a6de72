"""Progress bars on a terminal, silence elsewhere, always on stderr."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress

_Item = TypeVar("_Item")


def bar() -> Progress:
    """Return a ``rich`` progress bar that draws only where stderr is a terminal."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    # Not what rich makes of the environment: notebooks ask for colours in pipes.
    console = Console(stderr=True, force_terminal=sys.stderr.isatty())
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("{task.fields[note]}"),
    )
    return Progress(*columns, console=console, disable=not console.is_terminal)


def track(items: Iterable[_Item], what: str, total: int | None = None) -> Iterator[_Item]:
    """Yield ``items`` and show how many have passed."""
    with bar() as progress:
        task = progress.add_task(what, total=total, note="")
        for item in items:
            yield item
            progress.advance(task)


@contextlib.contextmanager
def counter(what: str, total: int | None = None) -> Iterator[Callable[[], None]]:
    """Give a function to call after each part of some work; ``total`` may be unknown."""
    with bar() as progress:
        task = progress.add_task(what, total=total, note="")
        yield lambda: progress.advance(task)
