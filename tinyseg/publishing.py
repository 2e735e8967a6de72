"""Turn a training run into what users start from: ``models/NETWORK/DATA``."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinyseg import deployment, files, presets, workflow
from tinyseg import plan as plans
from tinyseg.errors import GateError, InputError
from tinyseg.fit import boards_that_hold
from tinyseg.reporting import pages
from tinyseg.reporting.report import tables
from tinyseg.tflite import TfliteModel
from tinyseg.zoo.weights import save_weights

_KEPT = ("{name}.tflite", "{name}.tflite-profiling-results.txt", "split.json")
_PICTURES = {"segmentation": "dice.png", "classification": "confusion.png"}


def publish(
    run: str | Path,
    models: str | Path,
    verify_images: int = 8,
    board: str | None = None,
    changes: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Write weights, plan, integer file, MLTK report, history, results and model card.

    Weights are stored in half precision; the integer file and all figures are made from the
    stored, rounded weights, so that a user gets the same.

    Args:
        run: folder of a finished training run.
        models: folder that gets a subfolder named as the network, and in it one as the data.
        verify_images: how many test images run on the slow reference interpreters.
        board: emulated board that runs them too.
        changes: new values of the plan's quantization, such as ``quantization.recipe``.

    Returns:
        The files written.

    Raises:
        InputError: the folder holds no finished run, or a change is not of the quantization.
        GateError: the quantized network misses a gate; nothing is published.
    """
    run = Path(run)
    weights = run / presets.WEIGHTS
    plan = plans.beside(weights) if weights.is_file() else None
    if plan is None:
        raise InputError(f"{run}: no finished training run; run 'tinyseg train' to the end")
    for key in changes or {}:
        if not key.startswith("quantization."):
            raise InputError(f"--set {key}: only quantization.… can change after training")
    plan = plans.override(plan, changes or {})
    name = plan.model.name
    with tempfile.TemporaryDirectory(prefix="tinyseg-publish-") as scratch:
        # The weights stand apart, for a plan of their own would be overwritten.
        source = Path(scratch, "float")
        model = workflow.load_trained(plan, weights)
        half = save_weights(model, source / presets.WEIGHTS, half=True)
        history = shutil.copy(run / presets.HISTORY, source)
        shutil.copy(run / workflow.SPLIT, source)
        plans.write(plan, source, half, history)
        results = Path(scratch, "integer")
        report = deployment.quantize(plan, half, results, verify_images=verify_images, board=board)
        if report["failures"]:
            raise GateError("\n".join(report["failures"]))
        target = Path(models) / name / presets.slug(plan.data.source)
        kept = [results / pattern.format(name=name) for pattern in _KEPT]
        # Images of patients are not ours to publish.
        generated = plan.data.source.startswith("phantom")
        picture = "examples.jpg" if generated else _PICTURES[report["task"]]
        kept.append(results / picture)
        written = [
            files.write_bytes(target / path.name, path.read_bytes())
            for path in (half, source / presets.HISTORY, *kept)
        ]
        report["boards"] = boards_that_hold(TfliteModel.read(target / f"{name}.tflite"))
        integer_plan = plans.read(results / plans.FILE_NAME)
    card = pages.render(
        "model_card.md",
        run=report,
        tables=tables(report)[:4],
        generated=generated,
        picture=picture,
        training=dataclasses.asdict(plan.training),
        plan=plan,
    )
    written.append(files.write_text(target / "README.md", card))
    del report["profile"]["layers"]
    written.append(files.write_json(target / presets.RESULTS, report))
    written.append(plans.write(integer_plan, target, *written))
    return written
