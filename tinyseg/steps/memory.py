"""Predict the tensor arena of a file, and measure it."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any, NamedTuple

from tinyseg import presets
from tinyseg.boards.board import load_board
from tinyseg.boards.firmware import TFLM, booted
from tinyseg.errors import InputError
from tinyseg.progress import counter
from tinyseg.runtime.meaning import Head, Meaning
from tinyseg.steps.budget import Budget
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.arena.memory import facts, predict_arena
from tinyseg.tflite.lint import deployable
from tinyseg.tflite.lowering import lower


class ArenaFacts(NamedTuple):
    """The tensor arena of a file.

    Attributes:
        facts: see :func:`tinyseg.tflite.arena.memory.facts`; ``measured`` is None, or what was
            measured; ``board`` is None, or what the board leaves to a network.
        savings: name of each pass and the bytes that it saves; None if they were not asked for.
        tables: see :func:`tinyseg.reporting.memory_chart.tables`.
        files: page and pictures written.
    """

    facts: dict[str, Any]
    savings: list[tuple[str, int]] | None
    tables: list[dict[str, Any]]
    files: list[Path]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        if self.savings is None:
            return self.facts
        rows = [{"pass": name, "bytes": saved} for name, saved in self.savings]
        return {**self.facts, "savings": rows}


def memory(
    model: TfliteModel,
    *,
    target: str = "host",
    board: str | None = None,
    measure: bool = False,
    passes: bool = False,
    folder: Path | None = None,
) -> ArenaFacts:
    """Predict which tensors fill the arena of a file, and draw them.

    Args:
        model: parsed file.
        target: build of TFLM, see :func:`tinyseg.tflite.arena.memory.predict_arena`.
        board: predict for this one instead.
        measure: measure it too, on this machine or on an emulated board.
        passes: work out what each pass of lowering saves (slow).
        folder: where page and pictures go; None for ``build/memory``.

    Raises:
        InputError: no such board, or a file that is damaged or that TFLM does not run.
    """
    if board is not None:
        target = load_board(board).target
    elif measure and target != "host":
        raise InputError(f"--measure for {target} needs an emulated board: add --board")
    deployable(model)
    # Drawing takes a while to import; damaged files need none.
    from tinyseg.reporting import memory_chart

    values = facts(model, predict_arena(model, target))
    values["measured"] = _measure(model, board) if measure else None
    values["board"] = _board(model, board, values["needed_bytes"]) if board else None
    savings = _savings(model) if passes else None
    return ArenaFacts(
        values,
        savings,
        memory_chart.tables(values, savings or []),
        memory_chart.write(values, folder or presets.BUILD / "memory", savings or []),
    )


def _board(model: TfliteModel, name: str, needed: int) -> dict[str, Any]:
    """Return what a board leaves to a network, in bytes, and whether the file fits."""
    budget = Budget.of(load_board(name), model)
    return {
        "name": name,
        "arena_bytes": budget.ram,
        "file_bytes": budget.flash,
        "fits": budget.holds(needed, len(model.content)),
    }


def _measure(model: TfliteModel, board: str | None) -> dict[str, Any]:
    """Sizes in bytes; a board tells the total alone."""
    if board is None:
        from tinyseg.runtime.tflm import TflmRunner

        arena = TflmRunner(model).arena
        sizes = {"total_bytes": arena.total, "head_bytes": arena.head, "tail_bytes": arena.tail}
        return {"by": "TFLM on this machine", **sizes}
    with booted(model, None, board, TFLM, Meaning(Head.NONE)) as runner:
        used = runner.refresh().arena_used
    return {"by": board, "total_bytes": used, "head_bytes": None, "tail_bytes": None}


def _savings(model: TfliteModel) -> list[tuple[str, int]]:
    """Return the bytes of arena that each pass saves after those before it; strips come last."""
    with counter("searching schedules") as progress:
        steps = lower(model, patches=True, progress=progress).steps
    return [
        (after.name, before.arena_bytes - after.arena_bytes)
        for before, after in itertools.pairwise(steps)
    ]
