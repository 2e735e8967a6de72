"""A profile without MLTK, of a file that it does not run: what tinyseg counts itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinyseg.profiling.mltk import complete
from tinyseg.tflite import Operator, Tensor, TfliteModel
from tinyseg.tflite.arena.memory import predict_arena
from tinyseg.tflite.ops.registry import cost
from tinyseg.tflite.packing import unpacked


def profile_by_count(model: TfliteModel, reason: str) -> tuple[dict[str, Any], str]:
    """Count a file's work by its operators' formulas, and predict its memory.

    Args:
        model: parsed file that TensorFlow Lite Micro runs.
        reason: why MLTK does not profile it.

    Returns:
        As of :func:`tinyseg.profiling.mltk.profile`; ``mltk_version`` is None, and so is what
        only MLTK estimates.

    Raises:
        InputError: the file lacks what a kernel needs.
    """
    model = unpacked(model)
    record: dict[str, Any] = {
        "name": model.path,
        "accelerator": None,
        "input_shape": _shapes(model.inputs),
        "input_type": ",".join(tensor.dtype for tensor in model.inputs),
        "output_shape": _shapes(model.outputs),
        "output_type": ",".join(tensor.dtype for tensor in model.outputs),
        "flash_bytes": len(model.content),
        "ram_bytes": predict_arena(model).total,
        "layers": [_layer(operator) for operator in model.operators],
        "mltk_version": None,
    }
    complete(record, model)
    lines = [f"{reason}.", "Counted by tinyseg; the arena is that of TensorFlow Lite Micro.", ""]
    for layer in record["layers"]:
        work = f"{layer['ops']:,} operations, {layer['macs']:,} MACs"
        lines.append(f"{layer['index']:4} {layer['opcode']:32} {work}, {layer['outputs']}")
    return record, "\n".join([*lines, ""])


def _layer(operator: Operator) -> dict[str, Any]:
    work = cost(operator)
    return {
        "index": operator.index,
        "opcode": operator.opcode.lower(),
        "ops": work.ops,
        "macs": work.macs,
        "cycles": None,
        "accelerator_cycles": None,
        "energy_j": None,
        "time_s": None,
        "inputs": _shapes([tensor for tensor in operator.inputs if tensor is not None]),
        "outputs": _shapes(operator.outputs),
        "options": "",
        "supported": True,
        "error_msg": None,
    }


def _shapes(tensors: Sequence[Tensor]) -> str:
    return ",".join("x".join(map(str, tensor.shape)) for tensor in tensors)
