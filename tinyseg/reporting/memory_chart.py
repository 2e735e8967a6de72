"""Show which bytes of the tensor arena hold which tensor, and when."""

from __future__ import annotations

import colorsys
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.collections import PatchCollection
from matplotlib.patches import Rectangle

from tinyseg import files
from tinyseg.reporting import pages
from tinyseg.reporting.numbers import count, size
from tinyseg.reporting.pictures import encode_drawing, plt

# The page's drawing: width of the plot, heights of both panels and of the gap between them.
_WIDTH, _HEIGHT, _LIVE_HEIGHT, _GAP = 1000, 420, 120, 30
# Beside and below them, for the numbers of the axes.
_LEFT, _BOTTOM = 64, 40
_SCRATCH = "#9aa3ad"
_TEMPLATE = "memory.html"


def write(
    facts: dict[str, Any], folder: str | Path, savings: Sequence[tuple[str, int]] = ()
) -> list[Path]:
    """Write ``memory.html`` (self-contained) and ``memory.png``.

    Args:
        facts: as :func:`tinyseg.tflite.arena.memory.facts` gives them; ``measured`` may add what an
            interpreter took: ``total_bytes``, and ``head_bytes`` and ``tail_bytes`` if known;
            ``board`` what a board leaves, and whether the file fits.
        folder: where the files go.
        savings: what each change of the graph would save: its name, and bytes of the total.

    Returns:
        The paths of both files.
    """
    page = pages.render(
        _TEMPLATE, facts=facts, tables=tables(facts, savings), drawing=_drawing(facts)
    )
    folder = Path(folder)
    return [
        files.write_text(folder / _TEMPLATE, page),
        files.write_bytes(folder / "memory.png", picture(facts)),
    ]


def tables(facts: dict[str, Any], savings: Sequence[tuple[str, int]] = ()) -> list[dict[str, Any]]:
    """Return the page's tables: ``{"title", "note", "header", "rows"}`` of formatted text."""
    return [_sizes(facts), _peak(facts), _savings(facts, savings), _operators(facts)]


def _sizes(facts: dict[str, Any]) -> dict[str, Any]:
    measured = facts.get("measured") or {}
    lost = facts["head_bytes"] - facts["lower_bound_bytes"]
    rows = [
        ["head: activations and scratch", "head_bytes"],
        ["tail: structures and kernel data", "tail_bytes"],
        ["total", "total_bytes"],
    ]
    shown = [
        [name, size(facts[key]), *([size(measured.get(key))] if measured else [])]
        for name, key in rows
    ]
    blank = ["-"] if measured else []
    shown.append(["smallest arena that TFLM can plan in", size(facts["needed_bytes"]), *blank])
    shown.append(["head, lower bound", size(facts["lower_bound_bytes"]), *blank])
    if board := facts.get("board"):
        shown.append([f"RAM of {board['name']} for it", size(board["arena_bytes"]), *blank])
        shown.append([f"flash of {board['name']} for the file", size(board["file_bytes"]), *blank])
        shown.append(["fits", "yes" if board["fits"] else "no", *blank])
    return {
        "title": f"Tensor arena, {facts['target']}",
        "note": f"Gaps between the buffers cost {count(lost)} bytes." if lost else "",
        "header": ["part", "predicted", *(["measured"] if measured else [])],
        "rows": shown,
    }


def _peak(facts: dict[str, Any]) -> dict[str, Any]:
    peak = facts["peak"]
    return {
        "title": f"Alive at the peak: operator {peak['operator']} {peak['opcode']}, "
        f"layer '{peak['layer']}'",
        "note": f"{size(peak['live_bytes'])} at once.",
        "header": ["tensor", "layer", "shape", "type", "bytes", "operators"],
        "rows": [
            [
                row["name"].split(";")[0],
                row["layer"],
                " x ".join(map(str, row["shape"] or [])) or "-",
                row["dtype"],
                count(row["size_bytes"]),
                _life(row),
            ]
            for row in peak["tensors"]
        ],
    }


def _savings(facts: dict[str, Any], savings: Sequence[tuple[str, int]]) -> dict[str, Any]:
    total = max(facts["total_bytes"], 1)
    return {
        "title": "What each pass would save",
        "note": "",
        "header": ["pass", "bytes", "share of the arena"],
        "rows": [[name, count(saved), f"{saved / total:.1%}"] for name, saved in savings],
    }


def _operators(facts: dict[str, Any]) -> dict[str, Any]:
    return {
        "title": "Operator by operator",
        "note": "",
        "header": ["#", "operator", "layer", "alive in the head", "kept in the tail"],
        "rows": [
            [
                str(row["index"]),
                row["opcode"],
                row["layer"],
                count(row["live_bytes"]),
                count(row["persistent_bytes"]),
            ]
            for row in facts["operators"]
        ],
    }


def _life(row: dict[str, Any]) -> str:
    if row["first"] < 0:
        return f"input to {row['last']}"
    return f"{row['first']} to {row['last']}" if row["first"] < row["last"] else str(row["first"])


def colour(row: dict[str, Any]) -> str:
    """Return a buffer's colour: one for each layer, the same in every picture; grey is scratch."""
    if row["shape"] is None:
        return _SCRATCH
    hue = zlib.crc32(row["layer"].encode()) / 2**32
    parts = colorsys.hls_to_rgb(hue, 0.62, 0.55)
    return "#" + "".join(f"{round(255 * part):02x}" for part in parts)


def _drawing(facts: dict[str, Any]) -> dict[str, Any]:
    """Rectangles and lines of the page's drawing, in its own units."""
    step = _WIDTH / max(len(facts["operators"]), 1)
    head, most = max(facts["head_bytes"], 1), max(facts["lower_bound_bytes"], 1)
    scale, alive = _HEIGHT / head, _LIVE_HEIGHT / most
    boxes = []
    for row in _visible(facts):
        first = max(row["first"], 0)
        boxes.append(
            {
                "x": f"{first * step:.2f}",
                "y": f"{_HEIGHT - (row['offset_bytes'] + row['size_bytes']) * scale:.2f}",
                "width": f"{(row['last'] + 1 - first) * step:.2f}",
                "height": f"{row['size_bytes'] * scale:.2f}",
                "colour": colour(row),
                "title": f"{row['name']}\nlayer {row['layer']}\n{count(row['size_bytes'])} bytes "
                f"at {count(row['offset_bytes'])}\noperators {_life(row)}",
            }
        )
    bottom = _HEIGHT + _GAP + _LIVE_HEIGHT
    bars = [
        {
            "x": f"{row['index'] * step:.2f}",
            "y": f"{bottom - _LIVE_HEIGHT * _share(facts, row):.2f}",
            "width": f"{step:.2f}",
            "height": f"{_LIVE_HEIGHT * _share(facts, row):.2f}",
            "title": f"operator {row['index']} {row['opcode']}\nlayer {row['layer']}\n"
            f"{count(row['live_bytes'])} bytes alive",
        }
        for row in facts["operators"]
    ]
    return {
        "width": _WIDTH,
        "height": bottom,
        "plot": _HEIGHT,
        "boxes": boxes,
        "bars": bars,
        "peak_x": f"{facts['peak']['operator'] * step:.2f}",
        "peak_width": f"{step:.2f}",
        "left": _LEFT,
        "bottom": _BOTTOM,
        "x_ticks": [
            (f"{(s + 0.5) * step:.1f}", count(s)) for s in ticks(len(facts["operators"]) - 1)
        ],
        "y_ticks": [
            *((f"{_HEIGHT - 1000 * k * scale:.1f}", f"{k:,g}") for k in ticks(head / 1000)),
            *((f"{bottom - 1000 * k * alive:.1f}", f"{k:,g}") for k in ticks(most / 1000, 3)),
        ],
        "bound_y": f"{_HEIGHT - facts['lower_bound_bytes'] * scale:.2f}",
    }


def ticks(end: float, most: int = 8) -> list[float]:
    """Return round numbers from 0 to an end."""
    width = next(
        digit * 10**power
        for power in range(-3, 12)
        for digit in (1, 2, 5)
        if end / (digit * 10**power) <= most
    )
    return [round(number * width, 3) for number in range(int(end / width) + 1)]


def _share(facts: dict[str, Any], row: dict[str, Any]) -> float:
    return row["live_bytes"] / max(facts["lower_bound_bytes"], 1)


def _visible(facts: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for row in facts["buffers"] if row["size_bytes"] and row["last"] >= 0]


def picture(facts: dict[str, Any]) -> bytes:
    """Draw the arena over the operators, and below it the bytes alive, as PNG."""
    figure, (arena, live) = plt.subplots(
        2, 1, figsize=(12, 6.5), sharex=True, height_ratios=(4, 1), layout="tight"
    )
    rows = _visible(facts)
    boxes = [
        Rectangle(
            (max(row["first"], 0) - 0.5, row["offset_bytes"] / 1000),
            row["last"] + 1 - max(row["first"], 0),
            row["size_bytes"] / 1000,
        )
        for row in rows
    ]
    colours = [colour(row) for row in rows]
    arena.add_collection(
        PatchCollection(boxes, facecolors=colours, edgecolors="white", linewidths=0.3)
    )
    operators = facts["operators"]
    peak = facts["peak"]["operator"]
    arena.axhline(
        facts["lower_bound_bytes"] / 1000, color="black", linestyle=":", label="lower bound"
    )
    for axis in (arena, live):
        axis.axvspan(peak - 0.5, peak + 0.5, color="#e5484d", alpha=0.25, label="peak")
    arena.set(
        xlim=(-0.5, max(len(operators), 1) - 0.5),
        ylim=(0, max(facts["head_bytes"], 1) / 1000 * 1.04),
        ylabel="place in the arena (kB)",
        title=f"{Path(facts['file']).name}: head {size(facts['head_bytes'])}, peak at operator "
        f"{peak} {facts['peak']['opcode']} ('{facts['peak']['layer']}')",
    )
    arena.legend(loc="upper left")
    live.bar(
        [row["index"] for row in operators],
        [row["live_bytes"] / 1000 for row in operators],
        width=1.0,
        color="#3b7dd8",
    )
    live.set(xlabel="operator", ylabel="alive (kB)")
    return encode_drawing(figure)
