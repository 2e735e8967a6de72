"""Show which row of which tensor lies where in the memory of our own engine, and when."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from matplotlib.collections import PatchCollection
from matplotlib.patches import Rectangle

from tinyseg import files
from tinyseg.reporting import memory_chart, pages
from tinyseg.reporting.memory_chart import ticks
from tinyseg.reporting.numbers import count, size
from tinyseg.reporting.pictures import encode_drawing, plt

# The page's drawing: margins for the numbers, width of the plot, heights of both panels and gap.
_LEFT, _WIDTH, _HEIGHT, _LIVE_HEIGHT, _GAP, _BOTTOM = 60, 1000, 420, 120, 30, 40
_FIXED = "#9aa3ad"
_TEMPLATE = "rows.html"
_PAGE, _PICTURE = "memory_tinyseg.html", "memory_tinyseg.png"


def write(facts: dict[str, Any], folder: str | Path) -> list[Path]:
    """Write a self-contained page and a picture.

    Args:
        facts: as :func:`tinyseg.steps.engine_memory.facts` gives them, with ``front`` and
            ``measured`` or None.
        folder: where ``memory_tinyseg.html`` and ``.png`` go.

    Returns:
        The paths of both files.
    """
    page = pages.render(_TEMPLATE, facts=facts, tables=tables(facts), drawing=_drawing(facts))
    folder = Path(folder)
    return [
        files.write_text(folder / _PAGE, page),
        files.write_bytes(folder / _PICTURE, picture(facts)),
    ]


def tables(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the page's tables: ``{"title", "note", "header", "rows"}`` of formatted text."""
    return [_sizes(facts), _front(facts), _peak(facts), _nodes(facts)]


def _sizes(facts: dict[str, Any]) -> dict[str, Any]:
    measured = facts["measured"]
    rows = [
        ["rows alive at once, at most", size(facts["live_bytes"]), "-"],
        ["the kernels' scratch", size(facts["scratch_bytes"]), "-"],
        ["counters", size(facts["state_bytes"]), "-"],
        *(
            [f"of {region['memory']}", size(region["used_bytes"]), size(region["available_bytes"])]
            for region in facts["regions"]
            if region["available_bytes"] is not None
        ),
        ["in all", size(facts["ram_bytes"]), "-"],
    ]
    if measured:
        rows.append([f"measured by {measured['by']}", size(measured["ram_bytes"]), "-"])
        rows.append(["stack beside it", size(measured["stack_bytes"]), "-"])
    rows.append(["flash: program with weights and tables", size(facts["program_bytes"]), "-"])
    rows.append(["multiply-accumulates", count(facts["macs"]), "-"])
    rows.append(["work", _work(facts["work"]), "-"])
    where = facts["board"] or "any memory"
    return {
        "title": f"Memory of the network, {where}, {facts['core']} kernels",
        "note": "",
        "header": ["part", "planned", "there is"],
        "rows": rows,
    }


_WORK = (
    "--max-work takes the last line whose work it allows. Work is instructions, or "
    "multiply-accumulates on cores without kernels of their own."
)


def _front(facts: dict[str, Any]) -> dict[str, Any]:
    rows = [
        [
            _work(row["work"]),
            count(row["macs"]),
            size(row["live_bytes"]),
            size(row["ram_bytes"]),
            count(row["copied_nodes"]),
            *([] if row["fits"] is None else ["yes" if row["fits"] else "no"]),
        ]
        for row in facts["front"] or []
    ]
    fits = ["fits"] if facts["board"] else []
    return {
        "title": "Less memory for more work",
        "note": _WORK if rows else "",
        "header": [
            "work",
            "multiply-accumulates",
            "alive at once",
            "planned",
            "copied nodes",
            *fits,
        ],
        "rows": rows,
    }


def _work(work: float) -> str:
    return f"{work:.3f} times"


def _peak(facts: dict[str, Any]) -> dict[str, Any]:
    peak = facts["peak"]
    return {
        "title": f"Alive at the peak: step {count(peak['step'])} {peak['opcode']}, "
        f"layer '{peak['layer']}'",
        "note": f"{size(facts['live_bytes'])} at once.",
        "header": ["tensor", "layer", "rows", "bytes a row", "bytes"],
        "rows": [
            [
                _name(row),
                row["layer"],
                count(row["rows"]),
                count(row["row_bytes"]),
                count(row["size_bytes"]),
            ]
            for row in peak["tensors"]
        ],
    }


def _nodes(facts: dict[str, Any]) -> dict[str, Any]:
    return {
        "title": "Node by node",
        "note": "In the order of the program; a ring repeats after so many places.",
        "header": ["#", "operator", "tensor", "rows", "at once", "places", "bytes a row"],
        "rows": [
            [
                str(node["node"]),
                node["opcode"],
                _name(node),
                count(len(node["rows"])),
                count(node["rows_alive"]),
                count(node["period"]),
                count(node["row_bytes"]),
            ]
            for node in facts["nodes"]
        ],
    }


def _name(node: dict[str, Any]) -> str:
    copy = f" (copy {node['copy']})" if node["copy"] else ""
    return node["name"].split(";")[0] + copy


def colour(node: dict[str, Any]) -> str:
    """Return a node's colour: that of its layer, as in the picture of a tensor arena."""
    return memory_chart.colour({"layer": node["layer"], "shape": []})


def _boxes(facts: dict[str, Any], node: dict[str, Any]) -> Iterator[tuple[int, int, int, int]]:
    """Give first step, steps, place and bytes of each row; regions lie above one another."""
    starts = _starts(facts)
    for _, birth, death, region, offset in node["rows"]:
        yield birth, death + 1 - birth, starts[region] + offset, node["row_bytes"]


def _starts(facts: dict[str, Any]) -> list[int]:
    used = (region["used_bytes"] for region in facts["regions"])
    return list(itertools.accumulate(used, initial=0))


def _drawing(facts: dict[str, Any]) -> dict[str, Any]:
    """Paths and lines of the page's drawing, in its own units."""
    steps, ram = max(len(facts["live"]), 1), max(facts["ram_bytes"], 1)
    step, scale = _WIDTH / steps, _HEIGHT / ram
    paths = [
        {
            "d": " ".join(
                f"M{_LEFT + first * step:.1f} {_HEIGHT - (place + high) * scale:.1f}"
                f"h{long * step:.1f}v{high * scale:.1f}h{-long * step:.1f}z"
                for first, long, place, high in _boxes(facts, node)
            ),
            "colour": colour(node),
            "title": f"{_name(node)}\nlayer {node['layer']}, {node['opcode']}\n"
            f"{len(node['rows'])} rows of {count(node['row_bytes'])} bytes, "
            f"{node['rows_alive']} at once in {node['period']} places",
        }
        for node in facts["nodes"]
    ]
    bottom = _HEIGHT + _GAP + _LIVE_HEIGHT
    share = _LIVE_HEIGHT / max(facts["live_bytes"], 1)
    points = "".join(
        f"V{bottom - alive * share:.1f}H{_LEFT + end * step:.2f}"
        for end, alive in enumerate(facts["live"], 1)
    )
    fixed = (facts["state_bytes"] + facts["scratch_bytes"]) * scale
    x_ticks = [(f"{_LEFT + s * step:.1f}", count(s)) for s in ticks(steps)]
    y_ticks = [(f"{_HEIGHT - 1000 * k * scale:.1f}", f"{k:,g}") for k in ticks(ram / 1000)]
    live_ticks = [
        (f"{bottom - 1000 * k * share:.1f}", f"{k:,g}")
        for k in ticks(facts["live_bytes"] / 1000, 3)
    ]
    return {
        "left": _LEFT,
        "right": _LEFT + _WIDTH,
        "width": _LEFT + _WIDTH + 20,
        "plot": _HEIGHT,
        "bottom": bottom,
        "height": bottom + _BOTTOM,
        "paths": paths,
        "fixed": f"{fixed:.2f}",
        "fixed_y": f"{_HEIGHT - fixed:.2f}",
        "fixed_colour": _FIXED,
        "live": f"M{_LEFT} {bottom}{points}V{bottom}z",
        "walls": [f"{_HEIGHT - start * scale:.1f}" for start in _walls(facts)],
        "peak_x": f"{_LEFT + (facts['peak']['step'] + 0.5) * step:.1f}",
        "x_ticks": x_ticks,
        "y_ticks": [*y_ticks, *live_ticks],
    }


def _walls(facts: dict[str, Any]) -> list[int]:
    """Return where regions begin, but for the first one."""
    used = [index for index, region in enumerate(facts["regions"]) if region["used_bytes"]]
    return [_starts(facts)[index] for index in used if index]


def picture(facts: dict[str, Any]) -> bytes:
    """Draw the memory over the steps, and below it the bytes alive, as PNG."""
    figure, (memory, live) = plt.subplots(
        2, 1, figsize=(12, 6.5), sharex=True, height_ratios=(4, 1), layout="tight"
    )
    steps = len(facts["live"])
    fixed = (facts["state_bytes"] + facts["scratch_bytes"]) / 1000
    boxes, colours = [Rectangle((0, 0), steps, fixed)], [_FIXED]
    for node in facts["nodes"]:
        for first, long, place, high in _boxes(facts, node):
            boxes.append(Rectangle((first, place / 1000), long, high / 1000))
            colours.append(colour(node))
    memory.add_collection(
        PatchCollection(boxes, facecolors=colours, edgecolors="white", linewidths=0.1)
    )
    for wall in _walls(facts):
        memory.axhline(wall / 1000, color="black", linewidth=0.8)
    bound = (facts["live_bytes"] / 1000) + fixed
    memory.axhline(bound, color="black", linestyle=":", label="lower bound")
    for axis in (memory, live):
        axis.axvline(facts["peak"]["step"], color="#e5484d", alpha=0.6, label="peak")
    memory.set(
        xlim=(0, max(steps, 1)),
        ylim=(0, max(facts["ram_bytes"], 1) / 1000 * 1.04),
        ylabel="place in the memory (kB)",
        title=f"{Path(facts['file']).name}: {size(facts['ram_bytes'])} at "
        f"{facts['work']:.3f} times the work, {facts['board'] or 'any memory'}",
    )
    memory.legend(loc="upper right")
    live.fill_between(range(steps), [b / 1000 for b in facts["live"]], step="post", color="#3b7dd8")
    live.set(xlabel="step (one row of one tensor)", ylabel="alive (kB)", ylim=(0, None))
    return encode_drawing(figure)
