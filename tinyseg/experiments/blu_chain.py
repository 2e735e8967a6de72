"""Teacher, hint-learned student, binarized student: what each step costs in IoU.

For each task and seed: a U-Net is trained; a lightweight U-Net, twice as wide but with depthwise
separable convolutions, learns from its feature maps, then on the masks; two others of the same
initial weights are trained on the masks alone, one for as many epochs on the masks, as BLU-Net's
author did, one for as many epochs altogether; the student is binarized. The held-out images are
scored once, at the end, by the networks that validation chose, and by the packed int8 file.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import shutil
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from tinyseg import files, presets
from tinyseg import plan as plans
from tinyseg.cli import terminal
from tinyseg.experiments import FRESH, OUTPUT
from tinyseg.plan import Plan
from tinyseg.steps.binarize import binarize
from tinyseg.steps.convert import to_integers
from tinyseg.steps.distill import distill
from tinyseg.steps.evaluate import score
from tinyseg.steps.images import SPLIT
from tinyseg.steps.networks import successor
from tinyseg.steps.session import Session
from tinyseg.steps.train import train
from tinyseg.tflite import TfliteModel

log = logging.getLogger(__name__)

STEPS = ("teacher", "scratch", "scratch_long", "student", "binarized", "packed")


@dataclasses.dataclass(frozen=True)
class Task:
    """Images and the length of training on them.

    Attributes:
        source: see :func:`tinyseg.data.load`.
        size: side of the network's input.
        teacher_epochs: of the teacher.
        hint_epochs: of each of the two phases of hint learning.
        student_epochs: of the student on the masks.
        binarized_epochs: of the binarized student.
    """

    source: str
    size: int = 96
    teacher_epochs: int = 80
    hint_epochs: int = 30
    student_epochs: int = 60
    binarized_epochs: int = 60


TASKS = {
    "nuclei": Task("dsb2018"),
    "membranes": Task("em_isbi2012", teacher_epochs=120),
    "phantoms": Task("phantom:count=120,size=96", 96, 40, 15, 30, 30),
}
TEACHER = {"base_width": 8, "depth": 3}
STUDENT = {"base_width": 16, "depth": 3}
# Activations are bytes in the file whatever their levels; kernels have BLU-Net's three.
BINARIZED = {**STUDENT, "per_channel": True, "positive": True, "activation_levels": 6}


def run_chain(task: Task, seed: int, folder: Path) -> dict[str, Any]:
    """Train and score one chain; what a folder holds already is not trained again.

    Returns:
        For each of ``STEPS`` the scores on the held-out images, and ``seconds``.
    """
    start = time.monotonic()
    weights = {step: folder / step / presets.WEIGHTS for step in STEPS}
    train(_teacher_plan(task, seed), folder / "teacher")
    teacher = Session.open(weights["teacher"])
    split = folder / "teacher" / SPLIT

    student = _changed(teacher.plan, "lw_unet", STUDENT, task.student_epochs, 2e-3)
    train(student, folder / "scratch", split)
    longer = 2 * task.hint_epochs + task.student_epochs
    train(_changed(teacher.plan, "lw_unet", STUDENT, longer, 2e-3), folder / "scratch_long", split)
    hints = plans.DistillationPlan(
        method="hints",
        teacher=str(weights["teacher"]),
        encoder_epochs=task.hint_epochs,
        decoder_epochs=task.hint_epochs,
        learning_rate=2e-3,
    )
    student = dataclasses.replace(student, distillation=hints)
    distill(student, teacher, folder / "student")
    learned = Session.open(weights["student"])

    binarized = _changed(learned.plan, "blu_net", BINARIZED, task.binarized_epochs, 3e-4)
    source = plans.BinarizationPlan(str(weights["student"]))
    binarized = dataclasses.replace(binarized, binarization=source)
    binarize(binarized, learned, folder / "binarized")
    return {**_score(folder, split), "seconds": time.monotonic() - start}


def _changed(
    plan: Plan, name: str, arguments: dict[str, Any], epochs: int, learning_rate: float
) -> Plan:
    plan = successor(plan, name, {"model.arguments": arguments})
    training = dataclasses.replace(
        plan.training, epochs=epochs, patience=epochs, learning_rate=learning_rate
    )
    return dataclasses.replace(plan, training=training)


def _score(folder: Path, split: Path) -> dict[str, Any]:
    """Score every network, then the packed file, on the held-out images."""
    from tinyseg.runtime.tflite import TfliteRunner

    result: dict[str, Any] = {}
    for step in STEPS[:-1]:
        session = Session.open(folder / step / presets.WEIGHTS, split_file=split)
        test = session.images.part("test")
        result[step], _ = score(session.runner(), test, session.preprocessing)
        result[step]["parameters"] = session.network.count_params()
    plan, images = session.plan, session.images
    content, _ = to_integers(session.network, plan, images.calibration(plan))
    path = files.write_bytes(folder / "packed" / "blu_net.tflite", content)
    runner = TfliteRunner(TfliteModel.read(path))
    result["packed"], _ = score(runner, test, plan.preprocessing)
    result["packed"]["bytes"] = len(content)
    return result


def _teacher_plan(task: Task, seed: int) -> Plan:
    return plans.from_mapping(
        {
            "model": {"name": "unet", "arguments": TEACHER},
            "data": {"source": task.source, "fractions": [0.6, 0.15, 0.25]},
            "preprocessing": {"height": task.size, "width": task.size, "channels": 1},
            "training": {
                "epochs": task.teacher_epochs,
                "patience": task.teacher_epochs,
                "batch_size": 4,
                "learning_rate": 2e-3,
                "precision": "float32",
            },
            "seed": seed,
        }
    )


def summarise(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return mean and standard deviation of each step's IoU, and the two gates."""
    iou = {step: [run[step]["iou"] for run in runs] for step in STEPS}
    mean = {step: statistics.mean(values) for step, values in iou.items()}
    return {
        "iou": iou,
        "mean": mean,
        "deviation": {
            step: statistics.stdev(values) if len(values) > 1 else 0.0
            for step, values in iou.items()
        },
        "loss": mean["teacher"] - mean["binarized"],
        "packed_loss": mean["teacher"] - mean["packed"],
        "gain": mean["student"] - mean["scratch"],
        "gain_long": mean["student"] - mean["scratch_long"],
        "kernels": runs[0]["packed"]["kernels"],
        "bytes": statistics.mean(run["packed"]["bytes"] for run in runs),
        "seconds": sum(run["seconds"] for run in runs),
    }


@click.command()
@click.option(
    "--task",
    "names",
    multiple=True,
    type=click.Choice(list(TASKS)),
    default=["nuclei"],
    show_default=True,
    help="On what; may be given several times.",
)
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True)
@OUTPUT
@FRESH
def main(names: tuple[str, ...], seeds: int, output: Path, fresh: bool) -> None:
    """Run the chain on each task and write blu_chain.json, .md and .png."""
    terminal.quiet(False)
    work = Path("build/experiments/blu_chain")
    if fresh:
        shutil.rmtree(work, ignore_errors=True)
    results = {}
    for name in names:
        runs = []
        for seed in range(seeds):
            stored = work / name / f"seed{seed}" / "result.json"
            if not stored.is_file():
                files.write_json(stored, run_chain(TASKS[name], seed, stored.parent))
            runs.append(json.loads(stored.read_text()))
            iou = {step: round(runs[-1][step]["iou"], 4) for step in STEPS}
            click.echo(f"{name}, seed {seed}: {iou}")
        results[name] = summarise(runs)
    files.write_json(output / "blu_chain.json", {"seeds": seeds, "tasks": results})
    _write(results, seeds, output)


def _write(results: dict[str, Any], seeds: int, output: Path) -> None:
    from tinyseg.experiments import render

    render.write_table(results, seeds, output / "blu_chain.md")
    render.plot(results, output / "blu_chain.png")


if __name__ == "__main__":
    main()
