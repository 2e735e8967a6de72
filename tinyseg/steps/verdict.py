"""What a quantized file is good for, in a few lines: whether it passed, where it fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tinyseg.boards.board import board_names, load_board
from tinyseg.errors import InputError
from tinyseg.reporting.numbers import count, score, size
from tinyseg.scoring.scores import SCORES, lesions
from tinyseg.steps.budget import boards_that_hold
from tinyseg.steps.engine_fit import Space, fits_own
from tinyseg.steps.run import Run
from tinyseg.tflite import TfliteModel


def verdict(run: Run, boards: Sequence[str]) -> list[str]:
    """Return lines for people: passed or not, the boards that the file fits, the board named.

    Args:
        run: a quantized network.
        boards: what :func:`fits` says of its file.
    """
    lines = [_passed(run), *boards]
    if run.verification.device is not None:
        lines.append(_on_board(run.as_dict()["verification"]["device"]))
    return lines


def _passed(run: Run) -> str:
    key, title = SCORES[run.task][0]
    before, after = lesions(run.test.floats), lesions(run.test.integers)
    of = " of images with a lesion" if "with_lesion" in run.test.integers else ""
    scores = f"{title}{of} {score(before[key])} in float32, {score(after[key])} in integers"
    if run.missed:
        number = "a gate" if len(run.missed) == 1 else f"{len(run.missed)} gates"
        return f"verdict: missed {number}; {scores}"
    return f"verdict: passed; {scores}; the same bytes on every interpreter"


def fits(model: TfliteModel) -> list[str]:
    """Return lines for people that name the boards a file fits, by engine.

    Args:
        model: parsed file.
    """
    own, tflm = boards_of_own(model), boards_that_hold(model)
    if not own and not tflm:
        return ["fits: no board as it is; 'tinyseg fit' makes it smaller or proposes sizes"]
    named = {"tinyseg's engine": own, "TensorFlow Lite Micro": tflm}
    return [f"fits with {engine}: {', '.join(names) or 'none'}" for engine, names in named.items()]


def boards_of_own(model: TfliteModel) -> list[str]:
    """Return the boards, emulated machines aside, that a file fits with our own engine.

    Args:
        model: parsed file; one that the engine does not hold fits none.
    """
    boards = [board for board in map(load_board, board_names()) if board.machine is None]
    try:
        found = fits_own(model, [Space.of(board, model) for board in boards])
    except InputError:
        return []
    return [board.name for board, fit in zip(boards, found, strict=True) if fit]


def _on_board(device: Mapping[str, Any]) -> str:
    """Return what the network took on the emulated board."""
    board = load_board(device["board"])
    mean = sum(device["work"]) / len(device["work"])
    least = f"{1000 * mean / board.clock_hz:,.1f} ms at {board.clock_hz / 1e6:g} MHz"
    return (
        f"on {board.name}: {size(device['arena_used'] + device['stack_used'])} of RAM with the "
        f"stack, {count(round(mean))} {device['unit']} an image, {least} if each takes one cycle"
    )
