"""Turn a training run into what users start from: ``models/NETWORK/DATA``."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinyseg import files, presets
from tinyseg import plan as plans
from tinyseg.compression.recipe import parse
from tinyseg.errors import GateError, InputError
from tinyseg.plan import Plan
from tinyseg.reporting import pages
from tinyseg.reporting.gates import gates
from tinyseg.reporting.run_report import tables
from tinyseg.steps.budget import boards_that_hold
from tinyseg.steps.images import SPLIT
from tinyseg.steps.networks import load_trained
from tinyseg.steps.quantize import quantize
from tinyseg.steps.session import Session
from tinyseg.tflite import TfliteModel
from tinyseg.zoo import network
from tinyseg.zoo.weights import save_weights

_KEPT = ("{name}.tflite", "{name}.tflite-profiling-results.txt", "split.json")
_PICTURES = {"segmentation": "dice.png", "classification": "confusion.png"}


def newest_run(name: str, source: str | None = None) -> Path:
    """Return the folder where a network's training run lies unless the user says otherwise.

    Raises:
        InputError: no such network.
    """
    network(name)
    return presets.BUILD / name / presets.slug(source or "phantom") / "float"


def publish(
    run: str | Path,
    models: str | Path,
    verify_images: int | None = None,
    board: str | None = None,
    changes: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Write weights, plan, integer file, MLTK report, history, results and model card.

    Weights are stored in half precision; the integer file and all figures are made from the
    stored, rounded weights, so that a user gets the same.

    Args:
        run: folder of a finished training run.
        models: folder that gets a subfolder named as the network, and in it one as the data.
        verify_images: how many test images run on the slow reference interpreters; None for as
            many as they manage.
        board: emulated board that runs them too.
        changes: new values of the plan's quantization, such as ``quantization.recipe``.

    Returns:
        The files written.

    Raises:
        InputError: the folder holds no finished run, or a change is not of the quantization.
        GateError: the quantized network misses a gate; nothing is published.
    """
    run = Path(run)
    plan = _plan_of_run(run, changes or {})
    name = plan.model.name
    with tempfile.TemporaryDirectory(prefix="tinyseg-publish-") as scratch:
        # The weights stand apart, for a plan of their own would be overwritten.
        source = Path(scratch, "float")
        model = load_trained(plan, run / presets.WEIGHTS)
        half = save_weights(model, source / presets.WEIGHTS, half=True)
        history = shutil.copy(run / presets.HISTORY, source)
        shutil.copy(run / SPLIT, source)
        plans.write(plan, source, half, history)
        results = Path(scratch, "integer")
        done = quantize(Session(plan, half), results, verify_images=verify_images, board=board)
        if done.missed:
            raise GateError("\n".join(done.failures))
        target = Path(models) / name / presets.slug(plan.data.source)
        kept = [results / pattern.format(name=name) for pattern in _KEPT]
        # Images of patients are not ours to publish.
        picture = "examples.jpg" if _generated(plan) else _PICTURES[done.task]
        kept.append(results / picture)
        written = [
            files.write_bytes(target / path.name, path.read_bytes())
            for path in (half, source / presets.HISTORY, *kept)
        ]
        integer_plan = plans.read(results / plans.FILE_NAME)
    report = done.as_dict()
    report["boards"] = boards_that_hold(TfliteModel.read(target / done.file))
    written.append(files.write_text(target / "README.md", model_card(report, plan, picture)))
    written.append(files.write_json(target / presets.RESULTS, _without_layers(report)))
    written.append(plans.write(integer_plan, target, *written))
    return written


def _plan_of_run(run: Path, changes: Mapping[str, Any]) -> Plan:
    """Return the plan of a finished training run with other values for its quantization."""
    weights = run / presets.WEIGHTS
    plan = plans.beside(weights) if weights.is_file() else None
    if plan is None:
        raise InputError(f"{run}: no finished training run; run 'tinyseg train' to the end")
    for key in changes:
        if not key.startswith("quantization."):
            raise InputError(f"--set {key}: only quantization.… can change after training")
    return plans.override(plan, changes)


def _generated(plan: Plan) -> bool:
    """Return whether the images are of nobody."""
    return plan.data.source.startswith("phantom")


def model_card(report: dict[str, Any], plan: Plan, picture: str) -> str:
    """Return the model card of a published network, in Markdown.

    Args:
        report: its results.
        plan: that made it.
        picture: name of the one that is published with it.
    """
    return pages.render(
        "model_card.md",
        run=report,
        tables=[gates(report, parse(report["recipe"]).max_drop), *tables(report)[:5]],
        generated=_generated(plan),
        picture=picture,
        training=dataclasses.asdict(plan.training),
        plan=plan,
    )


def _without_layers(report: dict[str, Any]) -> dict[str, Any]:
    profile = {key: value for key, value in report["profile"].items() if key != "layers"}
    return {**report, "profile": profile}
