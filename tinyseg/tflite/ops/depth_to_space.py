"""Operators that move pixels between channels, space and batch."""

from __future__ import annotations

from tinyseg.tflite.nodes import Operator
from tinyseg.tflite.ops.memory import Memory, output_dimensions, same
from tinyseg.tflite.ops.op import FLOAT32, INT8, Op
from tinyseg.tflite.ops.rows import RowRule
from tinyseg.tflite.ops.scales import SAME

_TYPES = (INT8, FLOAT32)
_MEMORY = Memory(same(4), more=output_dimensions)


def _enlarge(operator: Operator) -> RowRule | None:
    return RowRule(scale=operator.options.blockSize)


def _reduce(operator: Operator) -> RowRule | None:
    return RowRule(operator.options.blockSize, operator.options.blockSize)


DEPTH_TO_SPACE = Op(
    "DEPTH_TO_SPACE",
    options="DepthToSpaceOptions",
    types=_TYPES,
    memory=_MEMORY,
    rows=_enlarge,
    quantization=SAME,
)
SPACE_TO_DEPTH = Op(
    "SPACE_TO_DEPTH",
    options="SpaceToDepthOptions",
    types=_TYPES,
    memory=_MEMORY,
    rows=_reduce,
    quantization=SAME,
)
BLOCKS = (
    DEPTH_TO_SPACE,
    SPACE_TO_DEPTH,
    Op("BATCH_TO_SPACE_ND", types=_TYPES, quantization=SAME),
    Op("SPACE_TO_BATCH_ND", types=_TYPES, memory=Memory(data=same(4)), quantization=SAME),
)
