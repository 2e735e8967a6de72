"""How small each step of a chain of networks is, by formula, on disk and in memory."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyseg import data
from tinyseg import plan as plans
from tinyseg.errors import InputError
from tinyseg.plan import Plan
from tinyseg.steps.convert import to_integers
from tinyseg.steps.networks import default_plan
from tinyseg.tflite import TfliteModel

if TYPE_CHECKING:
    import tf_keras as keras

log = logging.getLogger(__name__)

# BLU-Net's own chain.
CHAIN = ("unet", "lw_unet", "blu_net")
_CALIBRATION_IMAGES = 2


def report(steps: Sequence[str] = CHAIN) -> list[dict[str, Any]]:
    """Measure networks of the zoo and runs of ``tinyseg quantize``; ratios are to the first.

    Args:
        steps: folders of runs, or names. A name stands for the network at its reference size
            with random weights: sizes do not depend on weights, so there are no scores.

    Returns:
        For each step ``name``, ``trained``, ``parameters``, ``binary_bits``,
        ``float_parameters``, ``formula_mebibytes``, ``float_bytes``, ``int8_bytes``,
        ``packed_bytes`` (None if there is nothing to pack), ``arena_bytes``, ``iou`` with ``float``
        and ``integer`` (the packed file gives the same bytes as the int8 one), or None, and the
        ratios ``formula_ratio`` and ``file_ratio``.

    Raises:
        InputError: no such network or run.
    """
    rows = [_run(Path(step)) if Path(step).is_dir() else _network(step) for step in steps]
    first = rows[0]
    for row in rows:
        smallest = row["packed_bytes"] or row["int8_bytes"]
        row["formula_ratio"] = first["formula_mebibytes"] / row["formula_mebibytes"]
        row["file_ratio"] = first["float_bytes"] / smallest
    return rows


def _network(name: str) -> dict[str, Any]:
    from tinyseg.data.store import open_store
    from tinyseg.runtime.tflm import TflmRunner
    from tinyseg.tflite.packing import is_packed, unpacked
    from tinyseg.zoo import build
    from tinyseg.zoo.blocks.residual_binary_convolution import fit_gammas

    plan = default_plan(name)
    preprocessing = plan.preprocessing
    height, width, channels = preprocessing.height, preprocessing.width, preprocessing.channels
    log.info("building and converting %s at %dx%dx%d", name, height, width, channels)
    model = build(*plan.network)
    fit_gammas(model)
    size = f"phantom:count={_CALIBRATION_IMAGES},size={height}"
    images = open_store(data.load(size), preprocessing).inputs(preprocessing)
    content, _ = to_integers(model, plan, images)
    file = TfliteModel.parse(content, name)
    packed = is_packed(file)
    return {
        **_formula(model, plan),
        "trained": False,
        "int8_bytes": len(unpacked(file).content) if packed else len(content),
        "packed_bytes": len(content) if packed else None,
        "arena_bytes": TflmRunner(file).arena.total,
        "iou": None,
    }


def _run(folder: Path) -> dict[str, Any]:
    from tinyseg.zoo import build

    path = folder / "report.json"
    try:
        report = json.loads(path.read_text())
    except (OSError, ValueError):
        raise InputError(f"{path}: no report of 'tinyseg quantize'; run it again") from None
    plan = plans.read(folder / plans.FILE_NAME)
    model = build(*plan.network)
    packing = report["packing"]
    return {
        **_formula(model, plan),
        "trained": True,
        "int8_bytes": packing["unpacked_bytes"] if packing else report["file_bytes"],
        "packed_bytes": report["file_bytes"] if packing else None,
        "arena_bytes": report["verification"]["arena_bytes"],
        "iou": {part: report["test"][part]["iou"] for part in ("float", "integer")},
    }


def _formula(model: keras.Model, plan: Plan) -> dict[str, Any]:
    from tinyseg.compression.quantization import convert_float
    from tinyseg.zoo.size import formula_size

    size = formula_size(model)
    return {
        "name": plan.model.name,
        "parameters": model.count_params(),
        "binary_bits": size.binary_bits,
        "float_parameters": size.float_parameters,
        "formula_mebibytes": size.mebibytes,
        "float_bytes": len(convert_float(model, plan)),
    }
