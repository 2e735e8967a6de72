"""Write the report on a dataset: what it holds, how even it is, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyseg import files
from tinyseg.reporting import pages
from tinyseg.reporting.numbers import count, percent
from tinyseg.reporting.pictures import encode_drawing, encode_photo, plt

if TYPE_CHECKING:
    from tinyseg.data.summary import Shown

_CAPTIONS = {
    "samples.jpg": "Samples of each label: every channel, then the mask's outline.",
    "labels.png": "Images of each label, and with the copies that balancing adds.",
    "intensities.png": "Share of pixels by 8-bit value, each channel.",
}
_COLOURS = ("#29d3ff", "#ffb000", "#ff4f81", "#7dff6a")
_MOST_PROBLEMS = 50
_COLUMNS = 5
_TITLE = 34


def write(facts: dict[str, Any], examples: Sequence[Shown], folder: str | Path) -> list[Path]:
    """Write ``report.html`` (self-contained), ``report.md`` with its pictures, ``report.json``.

    Args:
        facts: from :func:`tinyseg.data.summary.summarise_dataset`; stored in the JSON file as they
            are.
        examples: samples to show, from the same.
        folder: where the files go.

    Returns:
        The paths of HTML, Markdown and JSON.
    """
    folder = Path(folder)
    images = {}
    if examples:
        images["samples.jpg"] = draw_samples(examples, facts["regions"])
    if len(facts["labels"]) > 1:
        images["labels.png"] = draw_labels(facts["balance"])
    if facts["intensity"]["channels"]:
        images["intensities.png"] = draw_intensities(facts["intensity"])
    for name, content in images.items():
        files.write_bytes(folder / name, content)
    context = {
        "facts": facts,
        "tables": tables(facts),
        "problems": facts["problems"][:_MOST_PROBLEMS],
        "pictures": pages.with_captions(images, _CAPTIONS),
    }
    written = [
        files.write_text(folder / f"report.{kind}", pages.render(f"data_report.{kind}", **context))
        for kind in ("html", "md")
    ]
    return [*written, files.write_json(folder / "report.json", facts)]


def tables(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the report's tables: ``{"title", "note", "header", "rows"}`` of formatted text."""
    return [_counts(facts), _labels(facts), _regions(facts), _intensities(facts), _pairs(facts)]


def _counts(facts: dict[str, Any]) -> dict[str, Any]:
    rows = [
        ["task", facts["task"]],
        ["images", count(facts["images"])],
        ["patients, or images of unknown ones", count(facts["groups"])],
    ]
    if facts["task"] == "segmentation":
        rows += [
            ["masks", count(facts["masks"])],
            ["images with several masks", count(facts["several_masks"])],
            ["images without foreground", count(facts["empty_masks"])],
        ]
    for side in ("width", "height") if facts["sizes"] else ():
        least, median, greatest = facts["sizes"][side].values()
        rows.append([f"{side} (pixels)", f"{least} to {greatest}, median {median:g}"])
    rows.append(["pairs of near-duplicates", count(len(facts["duplicates"]))])
    return {"title": "What it holds", "note": "", "header": ["quantity", "value"], "rows": rows}


def _labels(facts: dict[str, Any]) -> dict[str, Any]:
    balance = facts["balance"]
    rows = [
        [
            label or "(none)",
            count(number),
            percent(facts["label_fractions"][label]),
            count(balance["after"][label]),
        ]
        for label, number in balance["before"].items()
        if label or len(balance["before"]) > 1
    ]
    note = ""
    if balance["added"]:
        note = (
            f"The commonest label is {balance['imbalance_before']:.2f} times as frequent as the "
            f"rarest; {count(balance['added'])} augmented copies make them equal."
        )
    header = ["label", "images", "share", "balanced"]
    return {"title": "Labels", "note": note, "header": header, "rows": rows}


def _regions(facts: dict[str, Any]) -> dict[str, Any]:
    rows = [[name, percent(share)] for name, share in facts["regions"].items()]
    if facts["foreground"] and len(rows) > 1:
        rows.append(["any of them", percent(facts["foreground"]["pooled"])])
    return {
        "title": "Foreground",
        "note": "Share of all pixels. A mask that is all background is right on the rest.",
        "header": ["region", "pixels"],
        "rows": rows,
    }


def _intensities(facts: dict[str, Any]) -> dict[str, Any]:
    rows = [
        [
            str(number),
            f"{channel['mean']:.1f}",
            f"{channel['deviation']:.1f}",
            *(str(channel[name]) for name in ("p1", "p50", "p99")),
        ]
        for number, channel in enumerate(facts["intensity"]["channels"])
    ]
    return {
        "title": "Intensities",
        "note": f"Of {count(facts['intensity']['images'])} images, equally many of each label.",
        "header": ["channel", "mean", "std. dev.", "1 %", "median", "99 %"],
        "rows": rows,
    }


def _pairs(facts: dict[str, Any]) -> dict[str, Any]:
    pairs = facts["duplicates"]

    def worst(pair: dict[str, Any]) -> tuple[bool, float]:
        common = pair["overlap"]
        return not pair["labels_differ"], 1.0 if common is None else common

    shown = sorted(pairs, key=worst)[:_MOST_PROBLEMS]
    return {
        "title": "Near-duplicates",
        "note": f"{len(shown)} of {len(pairs)} pairs, those of different labels first, then those "
        "of other outlines. A split keeps each pair in one part.",
        "header": ["first", "second", "correlation", "labels", "Dice of the masks"],
        "rows": [
            [
                pair["first"],
                pair["second"],
                f"{pair['correlation']:.4f}",
                "differ" if pair["labels_differ"] else "equal",
                "-" if pair["overlap"] is None else f"{pair['overlap']:.2f}",
            ]
            for pair in shown
        ],
    }


def draw_samples(examples: Sequence[Shown], regions: Sequence[str]) -> bytes:
    """Draw each sample as its channels and, if it has a mask, the outlines of its regions."""
    planes = [_planes(shown.image) for shown in examples]
    masked = int(examples[0].mask.shape[-1] > 0)
    width = max(map(len, planes)) + masked
    abreast = max(1, _COLUMNS // width)
    lines = -(-len(examples) // abreast)
    size = (2.6 * width * abreast, 2.7 * lines)
    # Fixed margins: to measure the titles takes longer than to draw them.
    edges = {"left": 0.01, "right": 0.99, "bottom": 0.01, "top": 1 - 0.12 / lines}
    figure, axes = plt.subplots(
        *(lines, width * abreast),
        figsize=size,
        squeeze=False,
        gridspec_kw={**edges, "wspace": 0.05, "hspace": 0.12},
    )
    for axis in axes.flat:
        axis.set_axis_off()
    for place, shown, own in zip(axes.reshape(-1, width), examples, planes, strict=False):
        for axis, plane in zip(place, own, strict=False):
            axis.imshow(plane, cmap="gray", vmin=0, vmax=255)
        name = shown.sample.name
        title = name if shown.sample.label in name else f"{shown.sample.label} {name}"
        place[0].set_title(title[-_TITLE:], fontsize=8)
        if masked:
            place[-1].imshow(own[-1], cmap="gray", vmin=0, vmax=255)
            _outline(place[-1], shown.mask, list(regions))
    return encode_photo(figure)


def _planes(image: np.ndarray) -> list[np.ndarray]:
    """Return what to draw of an image: the whole if grey or RGB, else each channel."""
    if image.ndim == 2 or image.shape[-1] == 3:
        return [image]
    return list(np.moveaxis(image, -1, 0))


def _outline(axis: plt.Axes, mask: np.ndarray, regions: list[str]) -> None:
    title = []
    for index in range(mask.shape[-1]):
        plane, colour = mask[..., index], _COLOURS[index % len(_COLOURS)]
        if plane.any() and not plane.all():
            axis.contour(plane, levels=[0.5], colors=colour, linewidths=1.2)
        name = regions[index] if len(regions) > 1 else "mask"
        title.append(f"{name} {plane.mean():.1%}")
    axis.set_title(", ".join(title), fontsize=8 if len(title) == 1 else 6)


def draw_labels(balance: dict[str, Any]) -> bytes:
    """Draw the number of images of each label before and after balancing."""
    figure, axis = plt.subplots(figsize=(7, 2.8), layout="tight")
    labels = [label or "(none)" for label in balance["before"]]
    before, after = (np.array([*balance[key].values()]) for key in ("before", "after"))
    axis.bar(labels, before, label="images")
    axis.bar(labels, after - before, bottom=before, alpha=0.4, label="augmented copies")
    axis.set(ylabel="images")
    axis.legend()
    return encode_drawing(figure)


def draw_intensities(intensity: dict[str, Any]) -> bytes:
    """Draw the histogram of each channel."""
    figure, axis = plt.subplots(figsize=(7, 2.8), layout="tight")
    for number, channel in enumerate(intensity["channels"]):
        shares = channel["histogram"]
        edges = np.linspace(0, 256, len(shares) + 1)
        axis.stairs(shares, edges, label=f"channel {number}")
    axis.set(xlabel="value", ylabel="share of pixels", yscale="log")
    axis.legend()
    return encode_drawing(figure)
