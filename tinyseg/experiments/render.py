"""Tables and plots of experiments."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tinyseg import files
from tinyseg.experiments.rounds import (
    COMPARED,
    FINAL,
    comparison,
    differences,
    final_differences,
    left_out,
    markdown_table,
    spread,
    tested_dice,
)
from tinyseg.reporting.numbers import count, score
from tinyseg.scoring.scores import lesions

_TITLES = {
    "teacher": "U-Net (teacher)",
    "scratch": "lightweight U-Net from scratch, as many epochs on masks",
    "scratch_long": "lightweight U-Net from scratch, as many epochs altogether",
    "student": "lightweight U-Net, hint learning",
    "binarized": "BLU-Net, binarized student",
    "packed": "BLU-Net, packed int8 file",
}


# What the first round's roles are held against.
_GAINS = {
    "hint learning over scratch": ("hinted", "scratch"),
    "lost by int8 after training": ("hinted", "hinted_ptq"),
    "lost by int8 with quantization-aware training": ("hinted", "hinted_qat"),
}


def write_table(results: dict[str, Any], seeds: int, path: Path) -> None:
    """Write the chain's scores as Markdown.

    Args:
        results: by task, see :func:`tinyseg.experiments.blu_chain.summarise`.
        seeds: how many runs each mean is of.
        path: file to write.
    """
    tasks, lost = list(results), ("teacher to packed int8 file, lost", "packed_loss", "{:.4f}")
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
    for step, title in _shown(results).items():
        cells = [
            f"{results[task]['mean'][step]:.4f} ± {results[task]['deviation'][step]:.4f}"
            for task in tasks
        ]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    for title, key, form in (
        ("hint learning over scratch, epochs on masks equal", "gain", "{:+.4f}"),
        ("hint learning over scratch, all epochs equal", "gain_long", "{:+.4f}"),
        ("teacher to binarized student, lost", "loss", "{:.4f}"),
        *([lost] if "packed" in _shown(results) else []),
        ("packed file, bytes", "bytes", "{:,.0f}"),
        ("minutes, all seeds", "minutes", "{:.0f}"),
    ):
        values = [{**results[task], "minutes": results[task]["seconds"] / 60} for task in tasks]
        lines.append(f"| {title} | {' | '.join(form.format(v[key]) for v in values)} |")
    if "packed" not in _shown(results):
        lines += [
            "",
            "The packed file was scored on TensorFlow Lite's optimised kernels, whose bytes no "
            "board gives, and is not kept: its scores are left out until the chain is run again.",
        ]
    files.write_bytes(path, ("\n".join(lines) + "\n").encode())


def _shown(results: Mapping[str, Any]) -> dict[str, str]:
    """Return the titles of the steps, without a packed file that was not scored as boards run it.

    The first ones were scored on TensorFlow Lite's optimised kernels, whose bytes no board gives.
    """
    as_it_runs = all("kernels" in result for result in results.values())
    return {step: title for step, title in _TITLES.items() if as_it_runs or step != "packed"}


def plot(results: dict[str, Any], path: Path) -> None:
    """Draw every run's IoU along the chain, one panel a task."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4 * len(results), 3.6), layout="constrained")
    panels: Sequence = figure.subplots(1, len(results), squeeze=False)[0]
    steps = list(_shown(results))
    for panel, (task, result) in zip(panels, results.items(), strict=True):
        for run in zip(*(result["iou"][step] for step in steps), strict=True):
            panel.plot(steps, run, "o", color="0.6", markersize=4)
        means = [result["mean"][step] for step in steps]
        panel.plot(steps, means, "_", color="C0", markersize=22, markeredgewidth=3)
        lost = "0.034 below the teacher, as published"
        panel.axhline(means[0] - 0.034, color="C3", linewidth=1, linestyle="--", label=lost)
        panel.margins(x=0.12)
        panel.set_title(task)
        panel.tick_params(axis="x", rotation=40)
    panels[0].set_ylabel("IoU, held-out images")
    panels[0].legend(fontsize=7, loc="best")
    with files.replacing(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png", metadata={"Software": None})


def busi_small(result: Mapping[str, Any], output: Path) -> None:
    """Write the experiment ``busi_small`` as Markdown with a picture.

    Args:
        result: see :mod:`tinyseg.experiments.busi_small`.
        output: folder for ``busi_small.md`` and ``.png``.
    """
    table, final = result["candidates"], result["final"]
    spent = [result["seconds"], final["seconds"], *(row["seconds"] for row in table.values())]
    parts = [
        "# A small network for breast ultrasound",
        "Made by `make experiment NAME=busi_small` on BUSI by the [protocol](../protocol.md) in "
        f"{sum(spent) / 3600:.1f} hours of a core. Dice is the mean over images with a lesion "
        "unless a column says otherwise.",
        "![Dice on the test part, every seed](busi_small.png)",
        *_selection(result),
        *_first_round(result),
        *_second_round(result),
    ]
    files.write_text(output / "busi_small.md", "\n\n".join(parts) + "\n")
    nothing = lesions(result["nothing"])["dice"]
    _plot_dice(tested_dice(final), nothing, output / "busi_small.png")


def _selection(result: Mapping[str, Any]) -> list[str]:
    table, effort = result["candidates"], result["effort"]
    return [
        "## Selection",
        f"Mean validation Dice ± standard deviation of {len(next(iter(table.values()))['dice'])} "
        f"folds, {effort['select']} epochs each. At most {result['max_parameters']:,} parameters "
        f"were allowed. Chosen: {result['winner']}.",
        markdown_table(
            ("network", "input", "parameters", "MACs", "validation Dice"),
            [
                [
                    name,
                    f"{row['size']} x {row['size']}",
                    count(row["parameters"]),
                    count(row["macs"]),
                    spread(row["dice"]),
                ]
                for name, row in table.items()
            ],
        ),
    ]


def _first_round(result: Mapping[str, Any]) -> list[str]:
    effort, tested, validated = result["effort"], tested_dice(result), result["validation"]
    taught = ", ".join(f"{name} {dice:.4f}" for name, dice in result["teachers"].items())
    return [
        "## First round: one fold for validation",
        f"Mean ± standard deviation of {len(tested['hinted'])} seeds. The teacher, "
        f"{result['teacher']} with {result['runs']['teacher'][0]['parameters']:,} parameters, was "
        f"chosen by its validation Dice ({taught}). Hint learning took 2 x {effort['hints']} "
        f"epochs on feature maps and {effort['masks']} on masks; from scratch it was "
        f"{2 * effort['hints'] + effort['masks']} on masks, so both saw the images equally often. "
        "The epoch is that of the best validation Dice.",
        comparison(result, COMPARED, result["nothing"]),
        differences({"test part": tested, "validation part": validated}, _GAINS),
        *left_out(result),
        _files(result, COMPARED),
    ]


def _second_round(result: Mapping[str, Any]) -> list[str]:
    final = result["final"]
    effort = final["effort"]
    return [
        "## Second round: all but the test part for training",
        f"{effort['teachers']} teachers like that of the first round learn for "
        f"{effort['teacher']} epochs. Students learn 2 x {effort['hints']} epochs from the feature "
        f"maps of one and {effort['masks']} from the masks and the mean probabilities of all; from "
        f"scratch it is {2 * effort['hints'] + effort['masks']} on masks. There is no "
        "validation part, and the last epoch is kept. Mean ± standard deviation of "
        f"{len(final['runs']['scratch'])} seeds on the test part:",
        comparison(final, FINAL, result["nothing"]),
        final_differences(final),
        *left_out(final),
        _files(final, FINAL),
    ]


def _files(result: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    return markdown_table(
        ("recipe", "seed", "file, bytes", "tensor arena, bytes", "TFLM = reference bytes"),
        [
            [
                titles[role],
                str(seed),
                count(made["bytes"]),
                count(made["arena_bytes"]),
                "yes" if made["bit_exact"] else "no",
            ]
            for role, runs in result["files"].items()
            for seed, made in enumerate(runs)
        ],
    )


def _plot_dice(dice: Mapping[str, Sequence[float]], nothing: float, path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.2), layout="constrained")
    panel = figure.subplots()
    titles = [FINAL[role] for role in dice]
    for title, values in zip(titles, dice.values(), strict=True):
        panel.plot(values, [title] * len(values), "o", color="0.6", markersize=5)
        panel.plot(
            statistics.mean(values), title, "|", color="C0", markersize=18, markeredgewidth=3
        )
    panel.margins(y=0.15)
    panel.invert_yaxis()
    panel.set_xlabel(f"Dice of test images with a lesion (nothing predicted: {score(nothing)})")
    panel.grid(axis="x", alpha=0.3)
    with files.replacing(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png", metadata={"Software": None})
