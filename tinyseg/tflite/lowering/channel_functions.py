"""Products and sums with a constant of each channel, as 1x1 depthwise convolutions.

A batch normalization that the converter could not fold ends as MUL and ADD that broadcast a
constant, for which neither TFLM nor CMSIS-NN has a fast kernel. Such operators map each int8
value of a channel to another one. A depthwise convolution of one tap does the same if its
weight, bias and scale give the same 256 results; they are searched for, and what is not found
for every channel stays as it is.
"""

from __future__ import annotations

import numpy as np

from tinyseg.tflite import arithmetic
from tinyseg.tflite.graph import Graph, constant, make, scale_of
from tinyseg.tflite.nodes import Operator, Quantization, Tensor
from tinyseg.tflite.ops.rows import activations
from tinyseg.tflite.schema import ActivationFunctionType, Padding

_STORED = np.arange(-128, 128)
_FUNCTIONS = {"MUL": arithmetic.mul, "ADD": arithmetic.add}
# Biases tried around the best real one for each weight, and how many of the best are computed.
_BIASES = np.arange(-3, 4)
_TRIED = 256


def lower_channel_functions(graph: Graph) -> list[str]:
    """Replace MUL and ADD with constants of the channels by depthwise convolutions; exact.

    Returns:
        Names of the outputs of the new operators.
    """
    made = []
    for operator in list(graph.operators):
        if operator not in graph.operators or not _suits(operator):
            continue
        chain = _chain(graph, operator)
        # The longest chain that one convolution can do.
        for length in range(len(chain), 0, -1):
            convolution = _convolution(chain[:length])
            if convolution is not None:
                graph.replace(chain[0], [convolution])
                for swallowed in chain[1:length]:
                    graph.operators.remove(swallowed)
                made.append(convolution.outputs[0].name)
                break
    return made


def _suits(operator: Operator) -> bool:
    if operator.opcode not in _FUNCTIONS or len(operator.inputs) != 2:
        return False
    if len(activations(operator)) != 1 or None in operator.inputs:
        return False
    source, target = _source(operator), operator.outputs[0]
    (factor,) = [tensor for tensor in operator.first(2) if tensor is not source]
    return (
        len(target.shape) == 4
        and source.shape == target.shape
        and all(t.dtype == "int8" for t in (source, factor, target))
        and factor.quantization is not None
        and factor.array().size in (1, *factor.shape[-1:])
        and operator.options.fusedActivationFunction == ActivationFunctionType.NONE
    )


def _source(operator: Operator) -> Tensor:
    """Return the operand of a suitable operator that is no constant."""
    (source,) = activations(operator)
    return source


def _chain(graph: Graph, operator: Operator) -> list[Operator]:
    """Return an operator and those after it that alone read the result of the one before."""
    chain, readers = [operator], graph.consumers()
    while True:
        target = chain[-1].outputs[0]
        following = readers[id(target)]
        returned = any(target is output for output in graph.outputs)
        if len(following) != 1 or returned or not _suits(following[0]):
            return chain
        chain.append(following[0])


def _convolution(chain: list[Operator]) -> Operator | None:
    source, target = _source(chain[0]), chain[-1].outputs[0]
    (source_scale, source_zero), (target_scale, target_zero) = scale_of(source), scale_of(target)
    tables = _tables(chain)
    fits = []
    for table in tables:
        found = fit_convolution(table, source_zero, target_zero)
        if found is None:
            return None
        fits.append(found)
    weights, biases, factors = zip(*fits, strict=True)
    scales = (np.array(factors) * target_scale / source_scale).astype(np.float32)
    kernel = np.array(weights, np.int8)
    bias = np.array(biases, np.int32)
    # The file stores scales as float32; what that makes of the factors must still be exact.
    stored = np.float64(source_scale) * scales.astype(np.float64) / np.float64(target_scale)
    channel = np.arange(len(kernel))
    results = convolution_table(
        kernel[:, None], bias[:, None], stored[:, None], source_zero, target_zero
    )
    if not np.array_equal(results, tables):
        return None
    name = target.name
    zeros = [0] * len(channel)
    return make(
        "DEPTHWISE_CONV_2D",
        [
            source,
            constant(
                f"{name}/kernel",
                kernel[None, None, None],
                Quantization(scales.tolist(), zeros, 3),
            ),
            constant(
                f"{name}/bias", bias, Quantization((source_scale * scales).tolist(), zeros, 0)
            ),
        ],
        target,
        padding=Padding.VALID,
    )


def _tables(chain: list[Operator]) -> np.ndarray:
    """Return what a chain makes of each int8 value: int8 ``(channels, 256)``."""
    channels = chain[-1].outputs[0].shape[-1]
    values = np.broadcast_to(_STORED, (channels, 256)).astype(np.int8)
    source = _source(chain[0])
    for operator in chain:
        (factor,) = [tensor for tensor in operator.first(2) if tensor is not source]
        factors = np.broadcast_to(factor.array().reshape(-1, 1), (channels, 1))
        target = operator.outputs[0]
        result = _FUNCTIONS[operator.opcode](
            (values, *scale_of(source)), (factors, *scale_of(factor)), scale_of(target)
        )
        values, source = arithmetic.clamp(result), target
    return values


def convolution_table(
    weight: np.ndarray, bias: np.ndarray, factor: np.ndarray, source_zero: int, target_zero: int
) -> np.ndarray:
    """Return what a one-tap convolution makes of each int8 value: int8 ``(..., 256)``."""
    sums = (_STORED - source_zero) * weight.astype(np.int64) + bias
    scaled = arithmetic.multiply(sums, *arithmetic.quantize_multiplier(factor))
    return arithmetic.clamp(scaled + target_zero)


def fit_convolution(
    table: np.ndarray, source_zero: int, target_zero: int
) -> tuple[int, int, float] | None:
    """Find a one-tap convolution that gives a table.

    The result is ``factor * (weight * (stored - source_zero) + bias) + target_zero``, rounded.

    Args:
        table: int8 ``(256,)``, the results of the stored values -128..127.
        source_zero, target_zero: zero points of input and output.

    Returns:
        Weight (1..127, or negative), bias and factor; None if there is none.
    """
    inputs = (_STORED - source_zero).astype(np.float64)
    results = table.astype(np.float64) - target_zero
    if np.ptp(results) == 0:
        return 0, int(results[0]) << 10, 2.0**-10
    sign = 1 if results[-1] >= results[0] else -1
    # What is saturated only has to stay beyond the limit.
    low = np.where(table == -128, -np.inf, results - 0.5)
    high = np.where(table == 127, np.inf, results + 0.5)
    offset = _best_offset(sign * inputs, low, high)
    # Small sums lose precision to the kernels' first rounding.
    weights = np.repeat(np.arange(1, 128), len(_BIASES))
    biases = np.rint(offset * weights) + np.tile(_BIASES, len(weights) // len(_BIASES))
    least, most = _slopes(sign * inputs + (biases / weights)[:, None], low, high)
    margin = (most - least) / most
    best = np.argsort(-margin, kind="stable")[:_TRIED]
    best = best[margin[best] > 0]
    if not len(best):
        return None
    weights, biases = sign * weights[best], biases[best].astype(np.int64)
    factors = (least + most)[best] / 2 / np.abs(weights)
    found = convolution_table(
        weights[:, None], biases[:, None], factors[:, None], source_zero, target_zero
    )
    exact = np.flatnonzero((found == table).all(-1))
    if not len(exact):
        return None
    first = exact[0]
    return int(weights[first]), int(biases[first]), float(factors[first])


def _slopes(inputs: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and greatest slopes that keep ``slope * inputs`` within limits.

    Args:
        inputs: ``(candidates, 256)``.
        low, high: ``(256,)``.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        first, second = low / inputs, high / inputs
    lowest = np.where(inputs > 0, first, second)
    highest = np.where(inputs > 0, second, first)
    # Where the input is zero any slope does, or none.
    free = np.where((low <= 0) & (high >= 0), np.inf, -np.inf)
    zero = inputs == 0
    least = np.where(zero, -free, lowest).max(-1)
    most = np.where(zero, free, highest).min(-1)
    return least.clip(0, 1e9), most.clip(1e-9, 1e9)


def _best_offset(inputs: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    """Return o of the line ``a * (inputs + o)``, a > 0, with the widest choice of o.

    For u = 1 / a the choice lies between ``max(low * u - inputs)`` and ``min(high * u - inputs)``:
    its width is concave in u.
    """
    # Takes longer to import than most files have for it.
    from scipy.optimize import minimize_scalar

    def ends(u: float) -> tuple[float, float]:
        return (low * u - inputs).max(), (high * u - inputs).min()

    inside = np.isfinite(low) & np.isfinite(high)
    inside = inside if inside.any() else np.isfinite(low) | np.isfinite(high)
    rise = np.ptp(np.nan_to_num((low + high)[inside] / 2, posinf=0, neginf=0))
    run = np.ptp(inputs[inside])
    result = minimize_scalar(
        lambda u: ends(u)[0] - ends(u)[1],
        bounds=(run / (rise + 1), (run + 2) / max(rise - 1, 1e-3)),
        method="bounded",
        options={"xatol": 1e-9},
    )
    return sum(ends(result.x)) / 2
