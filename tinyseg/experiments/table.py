"""Write the results tables of README.md, docs/results.md and docs/experiments from stored figures.

python -m tinyseg.experiments.table [--check]
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tinyseg import files
from tinyseg.experiments import engine_table
from tinyseg.experiments.rounds import final_tables, markdown_table
from tinyseg.presets import RESULTS
from tinyseg.reporting.numbers import count, false_alarms, missed_lesions, score
from tinyseg.scoring.scores import lesions

_EXPERIMENT = Path("docs/experiments/busi_small.json")
_BEGIN, _END = "<!-- results: made by 'make table' -->", "<!-- end of results -->"
_ENGINE = (
    "RAM with the stack, and instructions an image, of our own engine on emulated boards, also "
    "with less memory by `--max-work 1.2`; how many times that TFLM with CMSIS-NN takes. [All "
    "figures](experiments/engine.md), of two more cores too, made by `make bench "
    'ARGS="--only engine"`.'
)
_ENGINE_FRONT = (
    "On emulated boards, our engine (RAM with the stack, instructions an image; with less memory "
    "by `--max-work 1.2`) and how many times that TFLM with CMSIS-NN takes, bytes equal ([all "
    "figures](docs/experiments/engine.md)):"
)
# Pixel accuracy that the seed of this work states, on a division that is not known.
_STATED = (
    ("edgeml-project, attention U-Net, float32", 0.9478),
    ("edgeml-project, attention U-Net, int8", 0.9356),
    ("edgeml-project, separable attention U-Net, float32", 0.9182),
    ("edgeml-project, separable attention U-Net, int8", 0.9182),
)


def overview(runs: Sequence[Mapping[str, Any]]) -> str:
    """Return the README's table: one row a published network."""
    header = (
        "network", "input", "parameters", "MACs", "trained and tested on", "Dice float32",
        "Dice int8", "missed lesions", "false alarms", "file (kB)", "tensor arena (kB)", "fits",
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
                *_missed_and_alarms(run, "integer"),
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
        "Dice, pooled", "HD95 (pixels)", "pixel accuracy", "missed lesions", "false alarms",
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
                    *_missed_and_alarms(run, key),
                ]
            )
    stated = [[name, "BUSI", "as stated", *["-"] * 6, score(value)] for name, value in _STATED]
    rows += [[*row, "-", "-"] for row in stated]
    return markdown_table(header, rows)


def _missed_and_alarms(run: Mapping[str, Any], key: str) -> tuple[str, str]:
    """Return how many lesions were missed and how many healthy images marked, of how many.

    Older results do not have them, but the Dice of every image: 0 is a miss or a false alarm, and
    the healthy images are what parts the mean over all images from that over those with a lesion.
    """
    scores, ill = run["test"][key], lesions(run["test"][key])
    if "false_alarms" in scores:
        return missed_lesions(scores), false_alarms(scores)
    healthy = scores["images"] - ill["images"]
    blank = scores["images"] * scores["dice"] - ill["images"] * ill["dice"]
    alarms = healthy - round(blank)
    if key == "background":
        missed = ill["images"]
    elif rows := run.get("test_images"):
        missed = sum(row[key] == 0 for row in rows) - alarms
    else:
        return "-", f"{alarms} of {healthy}"
    return f"{missed} of {ill['images']}", f"{alarms} of {healthy}" if healthy else "-"


def cost_table(runs: Sequence[Mapping[str, Any]]) -> str:
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


def _kernels(runs: Sequence[Mapping[str, Any]]) -> str:
    return " and ".join(sorted({run["test"]["integer"]["kernels"] for run in runs}))


def page(
    runs: Sequence[Mapping[str, Any]],
    experiment: Mapping[str, Any] | None,
    engine: Mapping[str, Any] | None = None,
) -> str:
    """Return ``docs/results.md``."""
    parts = [
        "# Results",
        "Made by `make table` from `models/*/*/results.json` and `docs/experiments/`; every figure "
        "comes from a command, see [Protocol](protocol.md).",
        "## Published networks",
        overview(runs),
        f"Integer files are scored on {_kernels(runs)}, whose bytes TensorFlow Lite Micro and "
        "boards give. MACs are multiply-accumulates of the float network, the arena that of "
        "TensorFlow Lite Micro on a 64-bit host. A network fits a board if its file fits the "
        "flash and its arena, predicted for the board's core, its largest piece of RAM, "
        "without further lowering.",
        "## Accuracy on held-out images",
        "Means over the test images with a lesion, then over all test images, where one without "
        "lesion counts 1 if nothing is predicted and 0 otherwise, then all pixels pooled. Pixel "
        "accuracy is of all images. Phantoms are generated: their figures show that the tools "
        "work, not how well a network does on patients.",
        accuracy(runs),
        "## What the files take",
        cost_table(runs),
    ]
    if engine:
        parts += ["## On boards", engine_table.overview(engine), _ENGINE]
    if experiment:
        parts += [
            "## A small network for breast ultrasound",
            *final_tables(experiment),
            "[Both rounds](experiments/busi_small.md), made by `make experiment NAME=busi_small`.",
        ]
    return "\n\n".join(parts) + "\n"


def readme_tables(
    runs: Sequence[Mapping[str, Any]],
    experiment: Mapping[str, Any] | None,
    engine: Mapping[str, Any] | None = None,
) -> str:
    """Return the results that stand in the README."""
    parts = [overview(runs)]
    if engine:
        parts += [_ENGINE_FRONT, engine_table.overview(engine)]
    if experiment:
        parts += final_tables(experiment)
    return "\n\n".join(parts)


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
    engine = _engine(root)
    readme = root / "README.md"
    texts = {
        readme: insert(readme.read_text(), readme_tables(runs, experiment, engine)),
        root / "docs/results.md": page(runs, experiment, engine),
    }
    if engine:
        texts[root / engine_table.PAGE] = engine_table.page(engine)
    return texts


def _engine(root: Path) -> dict[str, Any] | None:
    path = root / engine_table.STORED
    return files.read_json(path) if path.is_file() else None


def main(root: Path = Path(__file__).parents[2], check: bool = False) -> int:
    """Write the tables below ``root``, or only say which are stale.

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
    engine = _engine(root)
    if engine and stale and not check:
        engine_table.draw(engine, root / engine_table.PICTURE)
    return int(check and bool(stale))


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--check", action="store_true", help="Write nothing.")
    raise SystemExit(main(check=arguments.parse_args().check))
