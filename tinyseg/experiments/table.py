"""Write the results tables of README.md and docs/results.md from stored figures.

python -m tinyseg.experiments.table [--check]
"""

from __future__ import annotations

import argparse
import re
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tinyseg import files
from tinyseg.presets import RESULTS
from tinyseg.reporting.numbers import count, score
from tinyseg.scoring.scores import lesions

_EXPERIMENT = Path("docs/experiments/busi_small.json")
_BEGIN, _END = "<!-- results: made by 'make table' -->", "<!-- end of results -->"
# Pixel accuracy that the seed of this work states, on a division that is not known.
_STATED = (
    ("edgeml-project, attention U-Net, float32", 0.9478),
    ("edgeml-project, attention U-Net, int8", 0.9356),
    ("edgeml-project, separable attention U-Net, float32", 0.9182),
    ("edgeml-project, separable attention U-Net, int8", 0.9182),
)
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


def overview(runs: Sequence[Mapping[str, Any]]) -> str:
    """Return the README's table: one row a published network."""
    header = (
        "network", "input", "parameters", "MACs", "trained and tested on", "Dice float32",
        "Dice int8", "file (kB)", "tensor arena (kB)", "fits",
    )  # fmt: skip
    rows = []
    for run in runs:
        tested = {key: lesions(scores) for key, scores in run["test"].items()}
        rows.append(
            [
                f"`{run['model']['name']}`",
                " x ".join(map(str, run["model"]["input_shape"])),
                count(run["model"]["parameters"]),
                _millions(run["model"]["macs"]),
                f"{run['data']['name']}, {tested['integer']['images']} held out",
                score(tested["float"]["dice"]),
                score(tested["integer"]["dice"]),
                _kilobytes(run["file_bytes"]),
                _kilobytes(run["verification"]["arena_bytes"]),
                _fits(run["boards"]),
            ]
        )
    return markdown_table(header, rows)


def _millions(value: float) -> str:
    return f"{value / 1e6:,.0f} M"


def _kilobytes(value: float) -> str:
    return f"{value / 1e3:,.0f}"


def _fits(boards: Sequence[str]) -> str:
    return f"{len(boards)} boards" if boards else "none as it is"


def _form(run: Mapping[str, Any]) -> str:
    """Return how a network became integers, and in how many bits its weights are packed."""
    packing = run["packing"]
    bits = f", packed to {max(packing['bits'].values())} bits" if packing else ""
    return f"`{run['recipe']}`{bits}"


def accuracy(runs: Sequence[Mapping[str, Any]]) -> str:
    """Return every score of the published networks, beside those of predicting nothing."""
    header = (
        "network", "data", "form", "Dice", "IoU", "Dice, all images", "IoU, all images",
        "Dice, pooled", "HD95 (pixels)", "pixel accuracy",
    )  # fmt: skip
    names = {"float": "float32", "integer": "", "background": "nothing predicted"}
    rows = []
    for run in runs:
        for key, name in names.items():
            scores = run["test"][key]
            with_lesion = lesions(scores)
            distance = with_lesion["hd95"]
            rows.append(
                [
                    f"`{run['model']['name']}`",
                    run["data"]["name"],
                    name or _form(run),
                    score(with_lesion["dice"]),
                    score(with_lesion["iou"]),
                    score(scores["dice"]),
                    score(scores["iou"]),
                    score(scores["pooled"]["dice"]),
                    "-" if distance is None else f"{distance:.1f}",
                    score(scores["pixel_accuracy"]),
                ]
            )
    rows += [[name, "BUSI", "as stated", *["-"] * 6, score(value)] for name, value in _STATED]
    return markdown_table(header, rows)


def cost(runs: Sequence[Mapping[str, Any]]) -> str:
    """Return what the published files take, and where they run."""
    header = (
        "network", "data", "recipe", "file, bytes", "tensor arena, bytes", "loss of Dice",
        "TFLM = reference bytes", "instructions, emulated", "fits as it is",
    )  # fmt: skip
    rows = []
    for run in runs:
        check, tested = run["verification"], run["test"]
        device = check["device"]
        work = "-"
        if device:
            mean = sum(device["work"]) // len(device["work"])
            work = f"{count(mean)} on {device['board']}, bytes "
            work += "equal" if device["bit_exact"] else "differ"
        loss = lesions(tested["float"])["dice"] - lesions(tested["integer"])["dice"]
        rows.append(
            [
                f"`{run['model']['name']}`",
                run["data"]["name"],
                _form(run),
                count(run["file_bytes"]),
                count(check["arena_bytes"]),
                f"{loss:+.4f}",
                "yes" if check["bit_exact"] else "no",
                work,
                ", ".join(f"`{board}`" for board in run["boards"]) or "none",
            ]
        )
    return markdown_table(header, rows)


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
    rows = [[title, *map(spread, _figures(result["runs"][role]))] for role, title in titles.items()]
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
        title: {role: [kind(run) for run in runs] for role, runs in final["runs"].items()}
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
    return {role: [lesions(run)["dice"] for run in runs] for role, runs in result["runs"].items()}


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


def page(runs: Sequence[Mapping[str, Any]], experiment: Mapping[str, Any] | None) -> str:
    """Return ``docs/results.md``."""
    parts = [
        "# Results",
        "Made by `make table` from `models/*/*/results.json` and `docs/experiments/`; every figure "
        "comes from a command, see [Protocol](protocol.md).",
        "## Published networks",
        overview(runs),
        "MACs are multiply-accumulates of the float network, the arena that of TensorFlow Lite "
        "Micro on a 64-bit host. A network fits a board if its file fits the flash and its arena, "
        "predicted for the board's core, its largest piece of RAM, without further lowering.",
        "## Accuracy on held-out images",
        "Means over the test images with a lesion, then over all test images, where one without "
        "lesion counts 1 if nothing is predicted and 0 otherwise, then all pixels pooled. Pixel "
        "accuracy is of all images. Phantoms are generated: their figures show that the tools "
        "work, not how well a network does on patients.",
        accuracy(runs),
        "## What the files take",
        cost(runs),
    ]
    if experiment:
        parts += [
            "## A small network for breast ultrasound",
            *_final(experiment),
            "[Both rounds](experiments/busi_small.md), made by `make experiment NAME=busi_small`.",
        ]
    return "\n\n".join(parts) + "\n"


def front(runs: Sequence[Mapping[str, Any]], experiment: Mapping[str, Any] | None) -> str:
    """Return the results that stand in the README."""
    parts = [overview(runs)]
    if experiment:
        parts += _final(experiment)
    return "\n\n".join(parts)


def _final(experiment: Mapping[str, Any]) -> list[str]:
    """Return what is told of the final networks of the experiment ``busi_small``."""
    final = experiment["final"]
    parameters = count(experiment["candidates"][experiment["winner"]]["parameters"])
    return [
        f"Breast ultrasound (BUSI), `{experiment['winner']}` with {parameters} parameters: "
        f"{lesions(experiment['nothing'])['images']} test images with a lesion, mean ± standard "
        f"deviation of {len(final['runs']['scratch'])} seeds.",
        comparison(final, FINAL, experiment["nothing"]),
        final_differences(final),
    ]


def insert(readme: str, table: str) -> str:
    """Return a README with the text between the markers replaced.

    Raises:
        ValueError: the markers are missing.
    """
    pattern = f"{re.escape(_BEGIN)}.*{re.escape(_END)}"
    if not re.search(pattern, readme, re.S):
        raise ValueError(f"README lacks the lines {_BEGIN} and {_END}")
    return re.sub(pattern, lambda _: f"{_BEGIN}\n{table}\n{_END}", readme, flags=re.S)


def wanted(root: Path) -> dict[Path, str]:
    """Return what the files with results in them should hold."""
    runs = [files.read_json(path) for path in sorted((root / "models").glob(f"*/*/{RESULTS}"))]
    stored = root / _EXPERIMENT
    experiment = files.read_json(stored) if stored.is_file() else None
    readme = root / "README.md"
    return {
        readme: insert(readme.read_text(), front(runs, experiment)),
        root / "docs/results.md": page(runs, experiment),
    }


def main(root: Path = Path(__file__).parents[2], check: bool = False) -> int:
    """Write the tables below ``root``, or only tell which are stale.

    Returns:
        Exit status: 1 if there are stale ones and they were not to be written.
    """
    stale = [
        path
        for path, text in wanted(root).items()
        if not path.is_file() or path.read_text() != text
    ]
    for path in stale:
        if check:
            print(f"{path}: stale; run 'make table'")
        else:
            files.write_text(path, wanted(root)[path])
    return int(check and bool(stale))


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--check", action="store_true", help="Write nothing.")
    raise SystemExit(main(check=arguments.parse_args().check))
