"""The report of how an operating point was chosen: a table of points, and two curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tinyseg import files
from tinyseg.operating_point import OperatingPoint
from tinyseg.reporting import pages
from tinyseg.reporting.numbers import score
from tinyseg.reporting.pictures import encode_drawing, plt

PAGE = "calibration.html"
HEADER = (
    "operating point",
    "Dice with lesion",
    "Dice, all",
    "missed lesions",
    "false alarms per 100 healthy",
)
_CAPTIONS = {
    "free_response.png": "Free-response curve: the share of the lesions that a marked part "
    "touches, and marked parts that touch none, at every threshold.",
    "presence.png": "Whether an image has a lesion, by the mean of its highest probabilities.",
}


def rows(found: Mapping[str, Any]) -> list[list[str]]:
    """Return a row for the point before, the best of each kind, and the chosen one.

    Args:
        found: plain values of a calibration.
    """
    kinds = [(None, one) for one in found["kinds"]]
    listed = [("before", found["before"]), *kinds, ("chosen", found["chosen"])]
    return [_row(name, one) for name, one in listed]


def _row(name: str | None, one: Mapping[str, Any]) -> list[str]:
    words = OperatingPoint(**one["point"]).described()
    alarms = one["false_alarms_per_100"]
    return [
        f"{name}: {words}" if name else words,
        score(one["lesion_dice"]),
        score(one["dice"]),
        str(one["missed_lesions"]),
        "-" if alarms is None else f"{alarms:.1f}",
    ]


def write(found: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write ``calibration.html``, which stands alone, its pictures, and ``calibration.json``.

    Args:
        found: plain values of a calibration.
        folder: where they go.

    Returns:
        The paths.
    """
    drawn = {"free_response.png": draw_free_response(found["free_response"])}
    if found["presence_auc"] is not None:
        drawn["presence.png"] = _presence(found["presence"])
    table = {
        "title": f"The best points of each kind on {found['images']} validation images",
        "note": f"Wish: {found['wish']}, of {found['candidates']:,} points. Test images take no "
        "part. A point that is no better by 0.001 gives way to a simpler one.",
        "header": HEADER,
        "rows": rows(found),
    }
    page = pages.render(
        "calibration.html",
        title=f"Operating point of {Path(found['file']).name}",
        tables=[table],
        pictures=pages.with_captions(drawn, _CAPTIONS),
    )
    written = [files.write_bytes(folder / name, content) for name, content in drawn.items()]
    written.append(files.write_text(folder / PAGE, page))
    return [*written, files.write_json(folder / "calibration.json", dict(found))]


def draw_free_response(curve: Mapping[str, Sequence[float]]) -> bytes:
    """Draw a free-response curve as PNG, of the values of a ``FreeResponse``."""
    figure, axis = plt.subplots(figsize=(5, 3.6), layout="tight")
    axis.plot(curve["false_parts"], curve["found"], marker=".")
    axis.set(xlabel="false parts an image", ylabel="lesions found", ylim=(-0.02, 1.02))
    axis.grid(alpha=0.3)
    return encode_drawing(figure)


def _presence(curve: Mapping[str, Any]) -> bytes:
    figure, axis = plt.subplots(figsize=(4.2, 3.6), layout="tight")
    axis.plot(curve["false_alarms"], curve["found"], label=f"AUC {curve['area']:.3f}")
    axis.set(xlabel="healthy images called ill", ylabel="ill images called ill")
    axis.grid(alpha=0.3)
    axis.legend()
    return encode_drawing(figure)
