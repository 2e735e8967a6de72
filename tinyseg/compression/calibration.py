"""Ranges of activations on real images, as TensorFlow Lite's calibrator finds them.

That one looks at every value of a float network up to three times, one value after the other, which
takes several times as long as the network itself. Here the same kernels run in an interpreter that
keeps all tensors, and NumPy looks at each of them once.
"""

from __future__ import annotations

import warnings
from collections.abc import Container, Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.lite.python.convert import mlir_quantize
from tensorflow.lite.python.optimize import calibrator
from tensorflow.lite.tools import flatbuffer_utils

# As many as the calibrator's interpreter takes. Sums do not depend on their number, but one alone
# gets other kernels, which add up in another order.
_THREADS = 4

# What the calibrator begins with: the greatest that it finds is above 0 in any case.
_NOTHING = (float(np.finfo(np.float32).max), float(np.finfo(np.float32).tiny))

# Least and greatest value of tensors, by index.
Ranges = dict[int, tuple[float, float]]


class Converter(tf.lite.TFLiteConverter):
    """TensorFlow Lite's converter, which finds the ranges of int8 activations sooner."""

    def _quantize(self, content: bytes, source: Any, target: Any, kind: Any, *rest: Any) -> bytes:
        """Return the integer form of a float file; the converter calls this.

        Args:
            content: the float file.
            source, target, kind: types of input, output and activations.
            rest: what else the converter hands on.
        """
        # Older code makes activations of int16, and takes no ranges from a file.
        if kind != tf.int8:
            return super()._quantize(content, source, target, kind, *rest)
        images = [image for (image,) in self.representative_dataset.input_gen()]
        calibrated = calibrate(content, images)
        return mlir_quantize(calibrated, input_data_type=source, output_data_type=target)


def calibrate(content: bytes, images: Sequence[np.ndarray]) -> bytes:
    """Return a float file with the range of each activation over all images.

    TensorFlow Lite's calibrator looks at the first image, and at the others only if it finds
    something else there than we do.

    Args:
        content: file with one input.
        images: float32 values of the input, with the batch.
    """
    content = calibrator.add_intermediate_tensors(content)
    model = flatbuffer_utils.convert_bytearray_to_object(_by_calibrator(content, images[:1]))
    known = _ranges(model)
    # In further graphs, those of branches and loops, there are ranges too.
    if len(model.subgraphs) == 1:
        meter = _Meter(content, model.subgraphs[0].operators, known)
        meter.look(images[:1])
        if meter.ranges() == known:
            meter.look(images[1:])
            found = meter.ranges()
            # The calibrator leaves out what is no number.
            if not np.isnan(list(found.values())).any():
                _write(model, found)
                return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    return _by_calibrator(content, images)


def _by_calibrator(content: bytes, images: Iterable[np.ndarray]) -> bytes:
    return calibrator.Calibrator(content).calibrate(lambda: ([image] for image in images))


def _ranges(model: Any) -> Ranges:
    """Return the ranges that stand in a file, of those tensors that have one."""
    tensors = [tensor.quantization for tensor in model.subgraphs[0].tensors]
    return {
        index: (float(stored.min[0]), float(stored.max[0]))
        for index, stored in enumerate(tensors)
        if stored is not None and stored.min is not None and len(stored.min)
    }


def _write(model: Any, ranges: Ranges) -> None:
    for index, (low, high) in ranges.items():
        stored = model.subgraphs[0].tensors[index].quantization
        stored.min, stored.max = [low], [high]


class _Meter:
    """Finds the ranges of tensors over images that are shown to it.

    Args:
        content: float file with one input.
        operators: of its graph.
        wanted: indices of the tensors.
    """

    def __init__(self, content: bytes, operators: Sequence[Any], wanted: Iterable[int]) -> None:
        self._interpreter = _interpreter(content, keep=True)
        self._source = self._interpreter.get_input_details()[0]["index"]
        self._seen: Ranges = dict.fromkeys(wanted, _NOTHING)
        self._overwritten = _overwritten(content, operators, self._seen)

    def look(self, images: Iterable[np.ndarray]) -> None:
        """Take images into account, float32 with the batch."""
        for image in images:
            self._interpreter.set_tensor(self._source, image)
            self._interpreter.invoke()
            for index, (low, high) in self._seen.items():
                values = self._interpreter.get_tensor(index)
                # NumPy's functions, unlike Python's, keep what is no number.
                self._seen[index] = (
                    float(np.minimum(low, values.min())),
                    float(np.maximum(high, values.max())),
                )

    def ranges(self) -> Ranges:
        """Return the ranges, as the calibrator finds them.

        It looks at an operator's input after the output too, which may stand in its place by then.
        """
        found = dict(self._seen)
        for source, target in self._overwritten:
            (low, high), (least, most) = self._seen[source], self._seen[target]
            found[source] = (min(low, least), max(high, most))
        return found


def _overwritten(
    content: bytes, operators: Sequence[Any], wanted: Container[int]
) -> list[tuple[int, int]]:
    """Return those wanted that an operator reads with those that it writes in their place."""
    interpreter = _interpreter(content, keep=False)

    def place(index: int) -> int:
        return interpreter.tensor(index)().__array_interface__["data"][0]

    return [
        (source, target)
        for op in operators
        for source in op.inputs
        for target in op.outputs
        if source in wanted and target in wanted and place(source) == place(target)
    ]


def _interpreter(content: bytes, *, keep: bool) -> Any:
    """Load a file with the kernels that the calibrator runs."""
    kernels = tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    with warnings.catch_warnings():
        # It announces its successor, and that tensors which are kept take memory.
        warnings.simplefilter("ignore")
        interpreter = tf.lite.Interpreter(
            model_content=content,
            experimental_op_resolver_type=kernels,
            experimental_preserve_all_tensors=keep,
            num_threads=_THREADS,
        )
    interpreter.allocate_tensors()
    return interpreter
