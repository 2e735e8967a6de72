"""Tables of the rounds of the experiment ``busi_small``."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from tinyseg.reporting.numbers import count, score
from tinyseg.scoring.scores import lesions

# How roles of integer files end.
_OF_FILES = ("_ptq", "_qat")
# Networks of the experiment busi_small, first round.
COMPARED = {
    "teacher": "teacher, float32",
    "scratch": "from scratch, float32",
    "hinted": "hint learning, float32",
    "hinted_ptq": "hint learning, int8 after training",
    "hinted_qat": "hint learning, int8 with quantization-aware training",
}
# Second round.
FINAL = {
    "teacher": "teachers, float32",
    "scratch": "from scratch, float32",
    "scratch_ptq": "from scratch, int8 after training",
    "scratch_qat": "from scratch, int8 with quantization-aware training",
    "distilled": "hints and soft masks, float32",
    "distilled_ptq": "hints and soft masks, int8 after training",
    "distilled_qat": "hints and soft masks, int8 with quantization-aware training",
}


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def as_they_run(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the scores of a round by role, without files that were not scored as boards run them.

    TensorFlow Lite's optimised kernels, on which the first files were scored, give other bytes.
    """
    return {
        role: runs
        for role, runs in result["runs"].items()
        if not role.endswith(_OF_FILES) or all("kernels" in run for run in runs)
    }


def left_out(result: Mapping[str, Any]) -> list[str]:
    """Return what has to be said of files that :func:`as_they_run` leaves out, if it does."""
    if len(as_they_run(result)) == len(result["runs"]):
        return []
    return [
        "Integer files of this round were scored on TensorFlow Lite's optimised kernels, whose "
        "bytes no board gives: their scores are left out until the round is run again."
    ]


def comparison(
    result: Mapping[str, Any], titles: Mapping[str, str], nothing: Mapping[str, Any]
) -> str:
    """Return the scores of a round of the experiment ``busi_small``: mean and spread of seeds.

    Args:
        result: of the round.
        titles: of its networks by role.
        nothing: scores of predicting nothing.
    """
    header = ["network", "Dice", "IoU", "Dice, all images", "Dice, pooled", "pixel accuracy"]
    scored = as_they_run(result)
    rows = [
        [title, *map(spread, _figures(scored[role]))]
        for role, title in titles.items()
        if role in scored
    ]
    rows.append(["nothing predicted", *(score(values[0]) for values in _figures([nothing]))])
    return markdown_table(header, rows)


def differences(
    dice: Mapping[str, Mapping[str, Sequence[float]]], pairs: Mapping[str, tuple[str, str]]
) -> str:
    """Return differences of Dice, seed by seed.

    Args:
        dice: of the seeds by a column's title, then by role.
        pairs: by title the roles that are held against each other, the first less the second.
    """
    rows = [
        [
            title,
            *(
                spread([a - b for a, b in zip(roles[more], roles[less], strict=True)])
                for roles in dice.values()
            ),
        ]
        for title, (more, less) in pairs.items()
        if all(more in roles and less in roles for roles in dice.values())
    ]
    return markdown_table(["difference of Dice, seed by seed", *dice], rows)


def final_differences(final: Mapping[str, Any]) -> str:
    """Return the differences of the second round: with a lesion, of all images, pooled."""
    kinds = {
        "images with a lesion": lambda run: lesions(run)["dice"],
        "all images": lambda run: run["dice"],
        "pooled": lambda run: run["pooled"]["dice"],
    }
    dice = {
        title: {role: [kind(run) for run in runs] for role, runs in as_they_run(final).items()}
        for title, kind in kinds.items()
    }
    return differences(
        dice,
        {
            "hints and soft masks over scratch": ("distilled", "scratch"),
            "from scratch, lost by int8 after training": ("scratch", "scratch_ptq"),
            "from scratch, lost by int8 with quantization-aware training": (
                "scratch",
                "scratch_qat",
            ),
            "hints and soft masks, lost by int8 after training": ("distilled", "distilled_ptq"),
            "hints and soft masks, lost by int8 with quantization-aware training": (
                "distilled",
                "distilled_qat",
            ),
        },
    )


def tested_dice(result: Mapping[str, Any]) -> dict[str, list[float]]:
    """Return the test Dice of all seeds by role."""
    return {
        role: [lesions(run)["dice"] for run in runs] for role, runs in as_they_run(result).items()
    }


def _figures(runs: Sequence[Mapping[str, Any]]) -> list[list[float]]:
    """Return the scores of :func:`comparison`, each for all runs."""
    return [
        [lesions(run)["dice"] for run in runs],
        [lesions(run)["iou"] for run in runs],
        [run["dice"] for run in runs],
        [run["pooled"]["dice"] for run in runs],
        [run["pixel_accuracy"] for run in runs],
    ]


def spread(values: Sequence[float]) -> str:
    """Return mean and sample standard deviation."""
    mean = score(statistics.mean(values))
    return f"{mean} ± {score(statistics.stdev(values))}" if len(values) > 1 else mean


def final_tables(experiment: Mapping[str, Any]) -> list[str]:
    """Return what is said of the final networks of the experiment ``busi_small``."""
    final = experiment["final"]
    parameters = count(experiment["candidates"][experiment["winner"]]["parameters"])
    return [
        f"Breast ultrasound (BUSI), `{experiment['winner']}` with {parameters} parameters: "
        f"{lesions(experiment['nothing'])['images']} test images with a lesion, mean ± standard "
        f"deviation of {len(final['runs']['scratch'])} seeds.",
        comparison(final, FINAL, experiment["nothing"]),
        final_differences(final),
        *left_out(final),
    ]
