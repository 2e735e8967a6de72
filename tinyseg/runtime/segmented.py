"""Run a file with operators of tinyseg's firmware on the host, which does not have them.

The graph is cut at each such operator: what lies between goes to TensorFlow Lite's reference
kernels, the operator itself to its NumPy reference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tinyseg.errors import InputError
from tinyseg.runtime.runner import TensorSpec, border
from tinyseg.tflite import Operator, TfliteModel
from tinyseg.tflite.graph import Graph
from tinyseg.tflite.ops.binary_conv_2d import NAME, BinaryConvOptions, binary_conv_2d
from tinyseg.tflite.packing import unpacked


class SegmentedRunner:
    """Runs a file with binary convolutions.

    Args:
        model: parsed file; packed weights are unpacked.

    Raises:
        InputError: it has another custom operator.
    """

    input: TensorSpec
    output: TensorSpec

    def __init__(self, model: TfliteModel) -> None:
        model = unpacked(model)
        others = {op.opcode for op in model.operators if op.custom} - {NAME}
        if others:
            raise InputError(f"{model.path}: the host has no operator {', '.join(sorted(others))}")
        self.input, self.output = border(model)
        self._model = model
        self._steps = [self._step(group) for group in _groups(model.operators)]

    def run(self, inputs: np.ndarray) -> np.ndarray:
        """Run stored images ``(images, h, w, c)`` and return stored outputs."""
        return np.concatenate([self._run(image[None]) for image in inputs])

    def _run(self, image: np.ndarray) -> np.ndarray:
        values = {self._model.inputs[0].index: image}
        for step in self._steps:
            step(values)
        return values[self._model.outputs[0].index]

    def _step(self, group: Sequence[Operator]) -> Callable[[dict[int, np.ndarray]], None]:
        if group[0].custom:
            return lambda values: _convolve(group[0], values)
        return _Segment(self._model, group)


def _groups(operators: Sequence[Operator]) -> list[list[Operator]]:
    """Cut a graph before and after each custom operator."""
    groups: list[list[Operator]] = []
    for operator in operators:
        if operator.custom or not groups or groups[-1][0].custom:
            groups.append([])
        groups[-1].append(operator)
    return groups


def _convolve(operator: Operator, values: dict[int, np.ndarray]) -> None:
    source, filters, to = operator.first(3)
    target = operator.outputs[0]
    values[target.index] = binary_conv_2d(
        values[source.index],
        filters.array(),
        to.array(),
        BinaryConvOptions.decode(operator.custom_options),
        int(source.zero_points[0]),
        int(target.zero_points[0]),
    )


class _Segment:
    """Operators without custom ones among them, as a file of their own."""

    def __init__(self, model: TfliteModel, group: Sequence[Operator]) -> None:
        import tensorflow as tf

        made = {tensor.index for operator in group for tensor in operator.outputs}
        used = {
            tensor.index
            for operator in group
            for tensor in operator.inputs
            if tensor is not None and not tensor.constant
        }
        later = {
            tensor.index
            for operator in model.operators[group[-1].index + 1 :]
            for tensor in operator.inputs
            if tensor is not None
        }
        later |= {tensor.index for tensor in model.outputs}
        self._inputs, self._outputs = sorted(used - made), sorted(made & later)
        graph = Graph(model.content).without_signature()
        graph.operators[:] = [graph.operators[operator.index] for operator in group]
        graph.inputs[:] = [graph.tensors[index] for index in self._inputs]
        graph.outputs[:] = [graph.tensors[index] for index in self._outputs]
        self._interpreter = tf.lite.Interpreter(
            model_content=graph.to_bytes(),
            experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF,
        )
        self._interpreter.allocate_tensors()

    def __call__(self, values: dict[int, np.ndarray]) -> None:
        """Read the segment's inputs from ``values`` and put its outputs there."""
        interpreter = self._interpreter
        for index, detail in zip(self._inputs, interpreter.get_input_details(), strict=True):
            interpreter.set_tensor(detail["index"], values[index])
        interpreter.invoke()
        for index, detail in zip(self._outputs, interpreter.get_output_details(), strict=True):
            values[index] = interpreter.get_tensor(detail["index"])
