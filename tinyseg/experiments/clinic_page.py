"""The page of the experiment ``busi_clinic``."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tinyseg import files
from tinyseg.experiments import clinic_mirror
from tinyseg.experiments.clinic_failures import CURVE, FAILURES
from tinyseg.experiments.rounds import markdown_table
from tinyseg.reporting.numbers import count, score
from tinyseg.scoring.scores import lesions

# The row that the others are held against.
REFERENCE = "all"
UNSCORED = "not scored on the test part, for its student does not have"


class Paired(NamedTuple):
    """A mean difference over images, and its standard error."""

    mean: float
    error: float

    def __str__(self) -> str:
        return f"{self.mean:+.3f} ± {self.error:.3f}"


def paired(one: Sequence[float], other: Sequence[float]) -> Paired:
    """Return by how much the scores of the same images differ, the first less the second."""
    gains = [a - b for a, b in zip(one, other, strict=True)]
    if len(gains) < 2:
        return Paired(gains[0] if gains else math.nan, math.nan)
    return Paired(statistics.mean(gains), statistics.stdev(gains) / math.sqrt(len(gains)))


def write(result: Mapping[str, Any], path: Path) -> None:
    """Write the page.

    Args:
        result: of the experiment.
        path: file to write.
    """
    others = (*result["ablation"].values(), *result["trials"].values())
    hours = result["seconds"] + sum(row["seconds"] for row in others)
    lines = [
        "# A network for breast ultrasound that leaves healthy images blank",
        "",
        "Made by `make experiment NAME=busi_clinic` on BUSI by the [protocol](../protocol.md) in "
        f"{hours / 3600:.1f} hours of a core. All choices, the operating points among them, were "
        "made on the validation images of fold 0. The final networks learned from all that is not "
        "of the test part, which was scored once for each round that has figures of it, but for "
        "the seventh: after the first score showed too many healthy images marked, its point was "
        "chosen again, on the same validation images for most Dice over all, and scored, too.",
        "",
        *_rounds(result["rounds"], result["limited"]),
        "",
        *_failures(result["failures"]),
        "",
        *_trials(result["trials"]),
        "",
        *clinic_mirror.section(result["mirror"]),
        "",
        *_ablation(result),
    ]
    files.write_text(path, "\n".join(lines) + "\n")


def _rounds(rounds: Mapping[str, Any], limited: Mapping[str, Any]) -> list[str]:
    table = [
        _chosen(f"{name}, the fifth one's wish", point["chosen"]) for name, point in limited.items()
    ]
    lines = []
    for name, found in rounds.items():
        chosen, first = found["point"]["chosen"], found["files"][0]
        table.append(_chosen(f"{name} round", chosen))
        for title, key in (("float32", "float"), ("int8", "integers")) if found["tests"] else ():
            table += _tested(f"{name} round, test part, {title}", [t[key] for t in found["tests"]])
        lines.append(
            f"* {name} round: {count(first['bytes'])} bytes, tensor arena "
            f"{count(first['arena_bytes'])}; operating point for {found['point']['wish']}: "
            f"{_point(chosen['point'])}"
            + ("" if found["tests"] else f"; {UNSCORED} {found['asked']}")
        )
    header = ["images", "Dice with a lesion", "Dice of all", "lesions missed", "healthy marked"]
    return [*lines, "", markdown_table(header, table)]


def _chosen(title: str, chosen: Mapping[str, Any]) -> list[str]:
    return [
        f"{title}, validation images of fold 0, int8",
        score(chosen["lesion_dice"]),
        score(chosen["dice"]),
        str(chosen["missed_lesions"]),
        f"{chosen['false_alarms']} of {chosen['healthy_images']}",
    ]


def _tested(title: str, found: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    if len(found) == 1:
        return [[title, *_figures(found[0])]]
    rows = [[f"{title}, seed {seed}", *_figures(scores)] for seed, scores in enumerate(found)]
    return [*rows, [f"{title}, mean ± spread", *_spread(found)]]


def _failures(failures: Mapping[str, Any]) -> list[str]:
    missed, alarms = failures["missed"], failures["false_alarms"]
    return [
        "## What it gets wrong\n\nThe published int8 file, of the seventh round, on the test "
        "part, without the images, which are of patients: blue is missed, red is marked in vain.",
        "",
        f"![Missed lesions and false alarms](busi_clinic/{FAILURES})",
        "",
        f"Missed: {', '.join(missed) or 'none'}.",
        "",
        f"Healthy and marked: {', '.join(alarms) or 'none'}.",
        "",
        "Lesions found against marked parts that are none, at every threshold:",
        "",
        f"![Free-response curve](busi_clinic/{CURVE})",
    ]


def _trials(trials: Mapping[str, Any]) -> list[str]:
    rows = [
        [
            name,
            str(row["epochs"]),
            f"{row['presence_auc']:.3f}",
            score(row["lesion_dice"]),
            score(row["dice"]),
            str(row["missed_lesions"]),
            f"{row['false_alarms']} of {row['healthy_images']}",
        ]
        for name, row in trials.items()
    ]
    header = [
        "network", "epochs", "AUC of presence", "Dice with a lesion", "Dice of all",
        "lesions missed", "healthy marked",
    ]  # fmt: skip
    return [
        "## What was tried\n\nFold 0, float32, one seed, the last weights unless told, each at "
        "the point that gives most Dice of all on these images.",
        "",
        markdown_table(header, rows),
    ]


def _spread(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return means over seeds with their sample standard deviation."""
    columns = [
        [lesions(scores)["dice"] for scores in found],
        [scores["dice"] for scores in found],
        [scores["missed_lesions"] for scores in found],
        [scores["false_alarms"] for scores in found],
    ]
    digits = (4, 4, 1, 1)
    return [
        f"{statistics.mean(values):.{places}f} ± {statistics.stdev(values):.{places}f}"
        for values, places in zip(columns, digits, strict=True)
    ]


def _figures(scores: Mapping[str, Any]) -> list[str]:
    healthy = scores["images"] - scores["lesion_images"]
    return [
        score(lesions(scores)["dice"]),
        score(scores["dice"]),
        str(scores["missed_lesions"]),
        f"{scores['false_alarms']} of {healthy}",
    ]


def _point(point: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in point.items())


def _ablation(result: Mapping[str, Any]) -> list[str]:
    rows = result["ablation"]
    if REFERENCE not in rows:
        return [
            "The levers were not taken away one by one yet; the same command does it, row by row."
        ]
    base = rows[REFERENCE]
    table = []
    for name, row in rows.items():
        ill = [score for score, sick in zip(row["dice"], row["ill"], strict=True) if sick]
        old = [score for score, sick in zip(base["dice"], base["ill"], strict=True) if sick]
        table.append(
            [
                name,
                score(statistics.mean(ill)),
                score(statistics.mean(row["dice"])),
                *(
                    ("", "")
                    if row is base
                    else (str(paired(ill, old)), str(paired(row["dice"], base["dice"])))
                ),
            ]
        )
    header = [
        "student", "Dice with a lesion", "Dice of all", "difference, with a lesion",
        "difference, of all",
    ]  # fmt: skip
    return [
        f"## One lever less, or one more\n\n{result['short']} epochs each of the "
        "first student, fold 0, one seed, threshold 0.5, float32. Differences are means over the "
        "same images ± their standard error; they say nothing of other seeds. Each row is of the "
        "epoch with most Dice of all, where Dice with a lesion can be lower than in the last one.",
        "",
        markdown_table(header, table),
    ]
