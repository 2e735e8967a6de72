"""Where two interpreters part: the first operator whose results differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from tinyseg.errors import InputError
from tinyseg.runtime.engine import EngineRunner
from tinyseg.runtime.runner import TensorSpec
from tinyseg.runtime.tflite import TfliteRunner
from tinyseg.runtime.tflm import TflmRunner
from tinyseg.tflite import Operator, TfliteModel
from tinyseg.tflite.lint import operator_name
from tinyseg.tflite.ops.registry import op_of
from tinyseg.tflite.packing import unpacked

# An operator, what another interpreter made of its output, and what TFLM did.
_Pairs = Iterator[tuple[Operator, np.ndarray, np.ndarray]]


class Origin(NamedTuple):
    """Where a difference comes from.

    Attributes:
        line: the rest of a sentence on the outputs; empty if every operator agrees, or the
            interpreters do not say.
        rounding: whether it is the last place of an operator that the two are known to round
            differently.
    """

    line: str = ""
    rounding: bool = False


def compare(
    results: Sequence[TensorSpec],
    on_tflm: Sequence[np.ndarray],
    others: Sequence[np.ndarray],
    origin: Callable[[int], Origin],
) -> Origin | None:
    """Return how many values two interpreters differ in, in words; None if in none.

    Args:
        results: of each output.
        on_tflm, others: what each output stores, ``(n, ...)``.
        origin: from the number of an input to where its first difference comes from.

    Returns:
        The sentence; rounding if that is all that sets any of the inputs apart.
    """
    pairs = list(zip(results, others, on_tflm, strict=True))
    differing = sum(int((one != two).sum()) for _, one, two in pairs)
    if not differing:
        return None
    furthest = max(
        np.abs(result.dequantize(one) - result.dequantize(two)).max() for result, one, two in pairs
    )
    apart = [(one != two).reshape(len(one), -1).any(axis=1) for _, one, two in pairs]
    for number in np.flatnonzero(np.any(apart, axis=0)):
        first = origin(int(number))
        if not first.rounding:
            break
    return Origin(
        f"differ in {differing} of {sum(one.size for one in others)} output values, by "
        f"{furthest:.2g} at most{first.line}",
        first.rounding,
    )


def first_difference(model: TfliteModel, image: np.ndarray) -> Origin:
    """Say which operator of TFLM is the first to differ from TFLite's reference kernels.

    Args:
        model: quantized file; packed weights are unpacked.
        image: stored input without the batch.
    """
    try:
        return _first(_of_tflite(unpacked(model), image))
    except InputError:
        return Origin()


def first_difference_of_engine(engine: EngineRunner, image: np.ndarray) -> Origin:
    """Say which operator of our own engine is the first to differ from TFLM.

    Args:
        engine: with the file.
        image: stored input without the batch.

    Returns:
        As of :func:`first_difference`, never rounding. What the engine computes together with the
        operator behind it is not compared.
    """
    try:
        return _first(_of_engine(engine, image))._replace(rounding=False)
    except InputError:
        return Origin()


def _of_tflite(model: TfliteModel, image: np.ndarray) -> _Pairs:
    host = TfliteRunner(model, reference=True, keep_tensors=True)
    host.run(image[None])
    on_tflm = TflmRunner(model).tensors(image)
    for operator in model.operators:
        for tensor in operator.outputs:
            yield operator, host.tensor(tensor.index), on_tflm[tensor.index]


def _of_engine(engine: EngineRunner, image: np.ndarray) -> _Pairs:
    model, made = engine.integers, engine.tensors(image)
    on_tflm = TflmRunner(model).tensors(engine.stored(image))
    for operator in model.operators:
        for tensor in operator.outputs:
            if tensor.name in made:
                values = made[tensor.name]
                yield operator, values, on_tflm[tensor.index].ravel()[: values.size]


def _first(pairs: _Pairs) -> Origin:
    for operator, one, other in pairs:
        apart = one != other
        if apart.any():
            most = np.abs(one[apart].astype(np.float64) - other[apart]).max()
            op = op_of(operator)
            note = op.differs and f" ({op.differs})"
            return Origin(
                f"; {operator_name(operator)} is the first to differ, in {apart.sum()} of "
                f"{apart.size} stored values by {most:g} at most{note}",
                op.rounds_once and operator.outputs[0].dtype == "int8" and most <= 1,
            )
    return Origin()
