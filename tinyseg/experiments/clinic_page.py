"""The page of the experiment ``busi_clinic``."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tinyseg import files
from tinyseg.experiments.rounds import markdown_table
from tinyseg.reporting.numbers import count, score
from tinyseg.scoring.scores import lesions

# The row that the others are held against.
REFERENCE = "all"


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
    hours = result["seconds"] + sum(row["seconds"] for row in result["ablation"].values())
    lines = [
        "# A network for breast ultrasound that leaves healthy images blank",
        "",
        "Made by `make experiment NAME=busi_clinic` on BUSI by the [protocol](../protocol.md) in "
        f"{hours / 3600:.1f} hours of a core. One seed and one fold: the choices, the operating "
        "point among them, were made on the validation images of fold 0; the final network "
        "learned from all that is not of the test part, which was scored once.",
        "",
        *_final(result),
        "",
        *_ablation(result),
    ]
    files.write_text(path, "\n".join(lines) + "\n")


def _final(result: Mapping[str, Any]) -> list[str]:
    chosen, test, file = result["point"]["chosen"], result["test"], result["file"]
    rows = [
        [
            "validation images of fold 0, int8",
            score(chosen["lesion_dice"]),
            score(chosen["dice"]),
            str(chosen["missed_lesions"]),
            f"{chosen['false_alarms']} of {chosen['healthy_images']}",
        ]
    ]
    for title, key in (("test part, float32", "float"), ("test part, int8", "integers")):
        rows.append([title, *_figures(test[key])])
    header = ["images", "Dice with a lesion", "Dice of all", "lesions missed", "healthy marked"]
    return [
        f"The file takes {count(file['bytes'])} bytes, its tensor arena "
        f"{count(file['arena_bytes'])}. Operating point: {_point(chosen['point'])}.",
        "",
        markdown_table(header, rows),
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
        f"## One lever less, or one more\n\n{result['short']} epochs each, fold 0, one seed, "
        "threshold 0.5, float32. Differences are means over the same images ± their standard "
        "error; they say nothing of other seeds.",
        "",
        markdown_table(header, table),
    ]
