"""Tables and plots of experiments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tinyseg import files

_TITLES = {
    "teacher": "U-Net (teacher)",
    "scratch": "lightweight U-Net from scratch, as many epochs on masks",
    "scratch_long": "lightweight U-Net from scratch, as many epochs altogether",
    "student": "lightweight U-Net, hint learning",
    "binarized": "BLU-Net, binarized student",
    "packed": "BLU-Net, packed int8 file",
}


def table(results: dict[str, Any], seeds: int, path: Path) -> None:
    """Write the chain's scores as Markdown.

    Args:
        results: by task, see :func:`tinyseg.experiments.blu_chain.summarise`.
        seeds: how many runs each mean is of.
        path: file to write.
    """
    tasks = list(results)
    lines = [
        "# Teacher, student, binarized student",
        "",
        f"IoU on held-out images, mean over images, then mean ± standard deviation of {seeds} "
        "runs with other seeds. Made by `make experiment NAME=blu_chain`.",
        "",
        "![](blu_chain.png)",
        "",
        f"| network | {' | '.join(tasks)} |",
        f"|---|{'---|' * len(tasks)}",
    ]
    for step, title in _TITLES.items():
        cells = [
            f"{results[task]['mean'][step]:.4f} ± {results[task]['deviation'][step]:.4f}"
            for task in tasks
        ]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    for title, key, form in (
        ("hint learning over scratch, epochs on masks equal", "gain", "{:+.4f}"),
        ("hint learning over scratch, all epochs equal", "gain_long", "{:+.4f}"),
        ("teacher to binarized student, lost", "loss", "{:.4f}"),
        ("teacher to packed int8 file, lost", "packed_loss", "{:.4f}"),
        ("packed file, bytes", "bytes", "{:,.0f}"),
        ("minutes, all seeds", "minutes", "{:.0f}"),
    ):
        values = [{**results[task], "minutes": results[task]["seconds"] / 60} for task in tasks]
        lines.append(f"| {title} | {' | '.join(form.format(v[key]) for v in values)} |")
    files.write_bytes(path, ("\n".join(lines) + "\n").encode())


def plot(results: dict[str, Any], path: Path) -> None:
    """Draw every run's IoU along the chain, one panel a task."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4 * len(results), 3.6), layout="constrained")
    panels: Sequence = figure.subplots(1, len(results), squeeze=False)[0]
    steps = list(_TITLES)
    for panel, (task, result) in zip(panels, results.items(), strict=True):
        for run in zip(*(result["iou"][step] for step in steps), strict=True):
            panel.plot(steps, run, "o", color="0.6", markersize=4)
        means = [result["mean"][step] for step in steps]
        panel.plot(steps, means, "_", color="C0", markersize=22, markeredgewidth=3)
        panel.axhline(means[0] - 0.034, color="C3", linewidth=1, linestyle="--")
        panel.set_title(task)
        panel.tick_params(axis="x", rotation=40)
    panels[0].set_ylabel("IoU, held-out images")
    with files.replacing(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png", metadata={"Software": None})
