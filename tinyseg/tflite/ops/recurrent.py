"""Operators with a state of their own: SVDF and the LSTM."""

from __future__ import annotations

from tinyseg.tflite.nodes import Operator
from tinyseg.tflite.ops.memory import Memory, is_integer, same, tensor_bytes
from tinyseg.tflite.ops.op import FLOAT32, INT8, INT16, Op
from tinyseg.tflite.target import Target


def _svdf_scratch(operator: Operator, target: Target) -> list[int]:
    data, features = operator.first(2)
    batch, filters = data.shape[0], features.shape[0]
    sizes = [4 * batch * filters]
    if data.dtype == "int8":
        sizes.append(4 * batch * (filters // operator.options.rank))
    return sizes


def _svdf_more(operator: Operator, target: Target) -> list[int]:
    if target.mve and operator.input(0).dtype == "int8":
        return [4 * operator.input(1).shape[0]]
    return []


def _lstm_scratch(operator: Operator, target: Target) -> list[int]:
    data, state = operator.input(0), operator.input(19)
    three = target.cmsis and is_integer(data)
    return (3 if three else 4) * [tensor_bytes(state)]


def _lstm_more(operator: Operator, target: Target) -> list[int]:
    data = operator.input(0)
    if not target.cmsis or not is_integer(data):
        return []
    hidden = operator.outputs[0].shape[-1]
    return 8 * [hidden * (4 if data.dtype == "int8" else 8)]


RECURRENT = (
    Op(
        "SVDF",
        types=(INT8, FLOAT32),
        memory=Memory((12, 8), (36, 40), more=_svdf_more, scratch=_svdf_scratch),
    ),
    Op(
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        types=(INT8, INT16, FLOAT32),
        memory=Memory(same(16), (688, 912), more=_lstm_more, scratch=_lstm_scratch),
        method="AddUnidirectionalSequenceLSTM",
    ),
)
