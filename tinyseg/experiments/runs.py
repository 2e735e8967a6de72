"""What experiments do with a trained network, each in a process of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinyseg import plan as plans
from tinyseg import workflow
from tinyseg.zoo import build

RECIPES = {"ptq": "static_wi8_ai8", "qat": "qat_wi8_ai8"}


def quantize(weights: Path, folder: Path, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Quantize a network whatever that costs in Dice, score and verify its file.

    Args:
        weights: of the float network, beside its plan.
        folder: for the file.
        changes: of the plan, see :func:`tinyseg.plan.override`.

    Returns:
        Scores on ``test`` and ``validation`` (empty if there is no such part), ``bytes``,
        ``arena_bytes`` and ``bit_exact`` of the file.
    """
    from tinyseg.deployment import quantize as run

    plan = plans.override(plans.beside(weights), changes)
    report = run(plan, weights, folder, verify_images=8, max_drop=1.0, profiled=False)
    check = report["verification"]
    return {
        "test": report["test"]["integer"],
        "bytes": report["file_bytes"],
        "arena_bytes": check["arena_bytes"],
        "bit_exact": check["bit_exact"],
        "validation": score(folder / report["file"], "validation")
        if report["data"]["validation"]
        else {},
    }


def score(file: Path, part: str) -> dict[str, Any]:
    """Score weights or a ``.tflite`` file on a part of its data; count a network's parameters."""
    scores = workflow.evaluate(str(file), None, part, "tflite")
    if file.suffix != ".tflite":
        plan = plans.beside(file)
        scores["parameters"] = build(*plan.network).count_params()
    return scores


def headline(scores: Mapping[str, Any]) -> float:
    """Return the mean Dice over images with a lesion, by which everything is chosen."""
    return scores["with_lesion"]["dice"]


def of_files(quantized: Mapping[str, list[Mapping[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Return what the results of :func:`quantize` tell of the files."""
    keys = ("bytes", "arena_bytes", "bit_exact")
    return {
        role: [{key: run[key] for key in keys} for run in all_] for role, all_ in quantized.items()
    }
