"""What experiments do with a trained network, each in a process of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinyseg.steps.evaluate import evaluate
from tinyseg.steps.quantize import quantize as run
from tinyseg.steps.session import Session

RECIPE_NAMES = {"ptq": "static_wi8_ai8", "qat": "qat_wi8_ai8"}


def quantize_and_score(weights: Path, folder: Path, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Quantize a network whatever that costs in Dice, score and verify its file.

    Args:
        weights: of the float network, beside its plan.
        folder: for the file.
        changes: of the plan, see :func:`tinyseg.plan.override`.

    Returns:
        Scores on ``test`` and ``validation`` (empty if there is no such part), ``bytes``,
        ``arena_bytes`` and ``bit_exact`` of the file.
    """
    session = Session.open(weights, changes=changes)
    made = run(session, folder, verify_images=8, max_drop=1.0, profiled=False)
    check = made.verification
    assert check.arena is not None  # TFLM runs what it verifies here.
    return {
        "test": made.test.integers,
        "bytes": made.file_bytes,
        "arena_bytes": check.arena.total,
        "bit_exact": check.bit_exact,
        "validation": score_file(made.path, "validation") if made.data.validation else {},
    }


def score_file(file: Path, part: str) -> dict[str, Any]:
    """Score weights or a ``.tflite`` file on a part of its data; count a network's parameters."""
    session = Session.open(file)
    scores = evaluate(session, part)
    if not session.is_file:
        scores["parameters"] = session.network.count_params()
    return scores


def headline(scores: Mapping[str, Any]) -> float:
    """Return the mean Dice over images with a lesion, by which everything is chosen."""
    return scores["with_lesion"]["dice"]


def of_files(quantized: Mapping[str, list[Mapping[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Return what the results of :func:`quantize_and_score` say of the files."""
    keys = ("bytes", "arena_bytes", "bit_exact")
    return {
        role: [{key: run[key] for key in keys} for run in all_] for role, all_ in quantized.items()
    }
