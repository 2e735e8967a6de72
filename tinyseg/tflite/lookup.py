"""Tables instead of operators: any function of an int8 value, in standard operators.

A CAST turns the stored integers into indices, a GATHER looks them up. TensorFlow Lite Micro
takes indices of int32 only, from zero up, so the values looked up are 0..127.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from tflite_micro.tensorflow.lite.micro.compression import model_editor
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tinyseg.tflite.annotate import seal_edited
from tinyseg.tflite.model import layer_of

_ENTRIES = 128


def replace_by_tables(
    content: bytes, functions: Mapping[str, Callable[[np.ndarray], np.ndarray]]
) -> bytes:
    """Put tables in the place of int8 operators.

    Args:
        content: bytes of a ``.tflite`` file. The operators have one input, an int8 tensor of zero
            point 0 that is never negative.
        functions: what to compute instead, from real to real values, by the name of the layer
            whose operator is replaced.

    Returns:
        The bytes of the new file.

    Raises:
        ValueError: there is no such operator, or its input is not as required.
    """
    model = model_editor.read(content)
    graph = model.subgraphs[0]
    missing = set(functions)
    operators = []
    for operator in graph.operators:
        layer = layer_of(operator.outputs[0].name)
        if layer in missing and operator.opcode == schema.BuiltinOperator.LEAKY_RELU:
            missing.remove(layer)
            operators += _look_up(operator.inputs[0], operator.outputs[0], functions[layer], layer)
        else:
            operators.append(operator)
    if missing:
        raise ValueError(f"no operator of layer {', '.join(sorted(missing))}")
    graph.operators[:] = operators
    return seal_edited(model)


def _look_up(
    source: model_editor.Tensor,
    target: model_editor.Tensor,
    function: Callable[[np.ndarray], np.ndarray],
    layer: str,
) -> list[model_editor.Operator]:
    scale, zero_point = source.quantization.scales[0], source.quantization.zero_points[0]
    if zero_point != 0:
        raise ValueError(f"{layer}: the zero point of its input is {zero_point}, not 0")
    reals = function(np.arange(_ENTRIES, dtype=np.float32) * np.float32(scale))
    table = model_editor.Tensor(
        shape=(_ENTRIES,),
        dtype=schema.TensorType.INT8,
        data=_quantize(reals, target.quantization),
        quantization=target.quantization,
        name=f"{target.name}_table",
    )
    indices = model_editor.Tensor(
        shape=source.shape, dtype=schema.TensorType.INT32, name=f"{target.name}_indices"
    )
    cast = model_editor.Operator(
        opcode=schema.BuiltinOperator.CAST, inputs=[source], outputs=[indices]
    )
    _set_options(cast, schema.BuiltinOptions.CastOptions, schema.CastOptionsT())
    cast._fb.builtinOptions.inDataType = schema.TensorType.INT8
    cast._fb.builtinOptions.outDataType = schema.TensorType.INT32
    gather = model_editor.Operator(
        opcode=schema.BuiltinOperator.GATHER, inputs=[table, indices], outputs=[target]
    )
    _set_options(gather, schema.BuiltinOptions.GatherOptions, schema.GatherOptionsT())
    return [cast, gather]


def _set_options(operator: model_editor.Operator, kind: int, options: object) -> None:
    operator._fb.builtinOptionsType, operator._fb.builtinOptions = kind, options


def _quantize(reals: np.ndarray, quantization: model_editor.Quantization) -> np.ndarray:
    stored = np.round(reals / quantization.scales[0]) + quantization.zero_points[0]
    return np.clip(stored, -128, 127).astype(np.int8)
