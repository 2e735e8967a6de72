"""Run a file with operators that the host's reference interpreter does not have.

The graph is cut at each such operator: what lies between goes to TensorFlow Lite's reference
kernels, an operator of tinyseg's firmware to its NumPy reference, and one of TensorFlow Lite that
has no reference kernel to its only kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tinyseg.errors import InputError
from tinyseg.runtime.runner import TensorSpec, border
from tinyseg.tflite import Operator, TfliteModel
from tinyseg.tflite.graph import Graph
from tinyseg.tflite.host import for_host
from tinyseg.tflite.ops.binary_conv_2d import NAME, BinaryConvOptions, binary_conv_2d

# What TensorFlow Lite's resolver of reference kernels leaves out.
WITHOUT_REFERENCE = frozenset(("BROADCAST_TO", "CEIL", "ELU", "ROUND"))


class SegmentedRunner:
    """Runs a file with binary convolutions, or with operators that have no reference kernel.

    Args:
        model: parsed file; packed weights are unpacked.
        progress: called after each image.

    Raises:
        InputError: it has another custom operator.
    """

    input: TensorSpec
    output: TensorSpec
    kernels = "TFLite reference kernels and NumPy"

    def __init__(self, model: TfliteModel, *, progress: Callable[[], None] = lambda: None) -> None:
        model = for_host(model)
        others = {op.opcode for op in model.operators if op.custom} - {NAME}
        if others:
            raise InputError(f"{model.path}: the host has no operator {', '.join(sorted(others))}")
        self.input, self.output = border(model)
        self._model, self._progress = model, progress
        self._values: dict[int, np.ndarray] = {}
        self._steps = [self._step(group) for group in _groups(model.operators)]

    def run(self, inputs: np.ndarray) -> np.ndarray:
        """Run stored images ``(images, h, w, c)`` and return stored outputs."""
        return np.concatenate([self._run(image[None]) for image in inputs])

    def _run(self, image: np.ndarray) -> np.ndarray:
        self._values = {self._model.inputs[0].index: image}
        for step in self._steps:
            step(self._values)
        self._progress()
        return self._values[self._model.outputs[0].index]

    def tensor(self, index: int) -> np.ndarray:
        """Return what an operator made of the last image."""
        return self._values[index]

    def _step(self, group: Sequence[Operator]) -> Callable[[dict[int, np.ndarray]], None]:
        if group[0].custom:
            return lambda values: _convolve(group[0], values)
        return _Segment(self._model, group)


def _groups(operators: Sequence[Operator]) -> list[list[Operator]]:
    """Cut a graph before and after each operator without a reference kernel."""
    groups: list[list[Operator]] = []
    for operator in operators:
        if _alone(operator) or not groups or _alone(groups[-1][0]):
            groups.append([])
        groups[-1].append(operator)
    return groups


def _alone(operator: Operator) -> bool:
    return operator.custom or operator.opcode in WITHOUT_REFERENCE


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
        self._inputs, self._outputs = sorted(used - made), sorted(made)
        graph = Graph(model.content).without_signature()
        graph.operators[:] = [graph.operators[operator.index] for operator in group]
        graph.inputs[:] = [graph.tensors[index] for index in self._inputs]
        graph.outputs[:] = [graph.tensors[index] for index in self._outputs]
        kinds = tf.lite.experimental.OpResolverType
        self._interpreter = tf.lite.Interpreter(
            model_content=graph.to_bytes(),
            experimental_op_resolver_type=kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES
            if _alone(group[0])
            else kinds.BUILTIN_REF,
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
