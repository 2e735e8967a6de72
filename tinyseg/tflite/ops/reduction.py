"""Operators that reduce axes: means, sums, extremes, their places, running sums."""

from __future__ import annotations

from typing import Any

from tinyseg.tflite.nodes import Operator
from tinyseg.tflite.ops.memory import ENUM, Memory, is_integer, same
from tinyseg.tflite.ops.op import BOOL, FLOAT32, INT8, INT16, INT32, Op, family
from tinyseg.tflite.ops.scales import SAME
from tinyseg.tflite.target import Target

_AXES: dict[str, Any] = {"inputs": ("data", "axes"), "int32": ("axes",)}


def _scratch(operator: Operator, target: Target) -> list[int]:
    data, axes = operator.first(2)
    return [4 * len(data.shape), 4 * axes.elements]


def _scratch_of_sums(operator: Operator, target: Target) -> list[int]:
    sums = [4 * operator.outputs[0].elements] if is_integer(operator.input(0)) else []
    return sums + _scratch(operator, target)


def _cumsum_more(operator: Operator, target: Target) -> list[int]:
    return [36] if operator.input(0).dtype == "int8" else []


_PLAIN = Memory(same(1), same(44), scratch=_scratch)
_OF_SUMS = Memory(same(1), same(44), scratch=_scratch_of_sums)
REDUCTIONS = (
    Op("MEAN", types=(INT8, INT16, FLOAT32), memory=_OF_SUMS, **_AXES),
    Op(
        "SUM",
        types=(INT8, INT16, FLOAT32),
        memory=_OF_SUMS,
        differs="TFLite's reference kernel is wrong, TFLM's right; a mean agrees",
        **_AXES,
    ),
    *family(
        "REDUCE_MAX REDUCE_MIN",
        types=(INT8, FLOAT32),
        memory=_PLAIN,
        quantization=SAME,
        **_AXES,
    ),
    # Of shapes, where a network takes any number of images.
    Op(
        "REDUCE_PROD",
        tflm=False,
        instead="convert with a fixed batch, layers.Input(..., batch_size=1), which needs none",
    ),
    Op("REDUCE_ALL", types=(BOOL,), memory=_PLAIN, **_AXES),
    *family(
        "ARG_MAX ARG_MIN",
        types=(INT8, FLOAT32),
        results=(INT32,),
        instead="leave it out, or let it give int32 (tf.argmax has output_type=tf.int32)",
        memory=Memory(ENUM),
        **_AXES,
    ),
    Op(
        "CUMSUM",
        types=(INT8, FLOAT32),
        memory=Memory(same(2), more=_cumsum_more),
        method="AddCumSum",
        **_AXES,
    ),
)
