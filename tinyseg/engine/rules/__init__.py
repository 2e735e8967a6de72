"""How operators become nodes. Add an operator: a function, and a line in ``RULES``."""

from __future__ import annotations

from collections.abc import Callable

from tinyseg.engine.builder import Builder
from tinyseg.engine.rules import (
    binary,
    convolutions,
    elementwise,
    functions,
    reductions,
    shapes,
)
from tinyseg.tflite.functions import tabled
from tinyseg.tflite.nodes import Operator
from tinyseg.tflite.ops.binary_conv_2d import NAME as BINARY_CONV_2D

Rule = Callable[[Builder, Operator], None]
RULES: dict[str, Rule] = {
    **dict.fromkeys(tabled(), functions.unary),
    "ADD": elementwise.add,
    "AVERAGE_POOL_2D": reductions.pool,
    "BATCH_MATMUL": reductions.matrices,
    "CAST": functions.cast,
    "CONCATENATION": shapes.concatenation,
    "CONV_2D": convolutions.convolution,
    "DEPTHWISE_CONV_2D": convolutions.depthwise,
    "DEPTH_TO_SPACE": shapes.depth_to_space,
    "EXPAND_DIMS": shapes.reshape,
    "FULLY_CONNECTED": convolutions.fully_connected,
    "GATHER": functions.gather,
    "MAXIMUM": elementwise.extreme,
    "MAX_POOL_2D": reductions.pool,
    "MEAN": reductions.mean,
    "MINIMUM": elementwise.extreme,
    "MUL": elementwise.multiply,
    "PAD": shapes.pad,
    "PADV2": shapes.pad,
    "RESHAPE": shapes.reshape,
    "RESIZE_BILINEAR": shapes.bilinear,
    "RESIZE_NEAREST_NEIGHBOR": shapes.nearest,
    "SLICE": shapes.piece,
    "SOFTMAX": reductions.softmax,
    "SPACE_TO_DEPTH": shapes.space_to_depth,
    "SPLIT": shapes.split,
    "SPLIT_V": shapes.split,
    "SQUARED_DIFFERENCE": elementwise.squared_difference,
    "SQUEEZE": shapes.reshape,
    "STRIDED_SLICE": shapes.piece,
    "SUM": reductions.mean,
    "SUB": elementwise.add,
    "TRANSPOSE": shapes.transpose,
    "TRANSPOSE_CONV": convolutions.transposed,
}
CUSTOM_RULES: dict[str, Rule] = {BINARY_CONV_2D: binary.binary_convolution}
# Operators that may compute with int32: indices of tables.
INDICES = ("CAST", "GATHER")
