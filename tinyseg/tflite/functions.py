"""What int8 operators of one tensor make of each of the 256 values, as TFLite's kernels do.

Logistic and tanh follow gemmlowp's ``fixedpoint.h``, which both TensorFlow Lite's reference
kernels and TensorFlow Lite Micro use.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tinyseg.tflite.arithmetic import (
    clamp,
    divide_by_power,
    half_away,
    high_product,
    multiply,
    quantize_multiplier,
)
from tinyseg.tflite.nodes import Operator, Tensor

_STORED = np.arange(-128, 128, dtype=np.int64)
# Bits before the point of the fixed-point numbers that logistic and tanh take.
_INTEGER_BITS = 4


def table(operator: Operator) -> np.ndarray:
    """Return the results of an operator of one int8 tensor.

    Returns:
        int8 ``(256,)``, of the stored values from -128 to 127.

    Raises:
        ValueError: it is no such operator.
    """
    if operator.opcode not in _FUNCTIONS:
        raise ValueError(f"{operator.opcode} is no function of one int8 value")
    return _FUNCTIONS[operator.opcode](operator)


def tabled() -> list[str]:
    """Return the operators that :func:`table` takes."""
    return sorted(_FUNCTIONS)


def _scales(operator: Operator) -> tuple[float, int, float, int]:
    def of(tensor: Tensor) -> tuple[float, int]:
        if tensor.scales.size != 1:
            raise ValueError(f"tensor '{tensor.name}' is not quantized as a whole")
        return float(tensor.scales[0]), int(tensor.zero_points[0])

    return *of(operator.input(0)), *of(operator.outputs[0])


def _rescaled(operator: Operator) -> np.ndarray:
    scale, zero, target, target_zero = _scales(operator)
    return multiply(_STORED - zero, *quantize_multiplier(scale / target)) + target_zero


def _quantize(operator: Operator) -> np.ndarray:
    return clamp(_rescaled(operator))


def _relu(operator: Operator) -> np.ndarray:
    return clamp(_rescaled(operator), low=_scales(operator)[3])


def _relu6(operator: Operator) -> np.ndarray:
    """Clamp, without a change of scale: TFLM's kernel has none."""
    scale, zero, _, _ = _scales(operator)
    six = zero + int(half_away(np.asarray(np.float32(6) / np.float32(scale))))
    return clamp(_STORED, max(zero, -128), min(six, 127))


def _leaky_relu(operator: Operator) -> np.ndarray:
    scale, zero, target, target_zero = _scales(operator)
    alpha = np.float32(operator.options.alpha)
    plain = np.float32(scale) / np.float32(target)
    slope = np.float32(scale) * alpha / np.float32(target)
    values = _STORED - zero
    positive = multiply(values, *quantize_multiplier(np.float64(plain)))
    negative = multiply(values, *quantize_multiplier(np.float64(slope)))
    return clamp(np.where(values >= 0, positive, negative) + target_zero)


def _elu(operator: Operator) -> np.ndarray:
    scale, zero, target, target_zero = _scales(operator)
    reals = np.float32(scale) * (_STORED - zero).astype(np.float32)
    reals = np.where(reals < 0, np.expm1(reals), reals).astype(np.float32)
    inverse = np.float32(1) / np.float32(target)
    return clamp(half_away(reals * inverse) + target_zero)


def _logistic(operator: Operator) -> np.ndarray:
    return _saturating(operator, _logistic_of, 8, -128)


def _tanh(operator: Operator) -> np.ndarray:
    return _saturating(operator, _tanh_of, 7, 0)


def _saturating(
    operator: Operator, function: Callable[[np.ndarray], np.ndarray], bits: int, zero_point: int
) -> np.ndarray:
    scale, zero, _, _ = _scales(operator)
    multiplier, shift = quantize_multiplier(scale * float(1 << (31 - _INTEGER_BITS)))
    whole = ((1 << _INTEGER_BITS) - 1) * float(1 << (31 - _INTEGER_BITS))
    radius = np.floor(whole / 2.0 ** int(shift))
    values = _STORED - zero
    inside = np.abs(values) < radius
    fixed = multiply(np.where(inside, values, 0), multiplier, shift)
    results = divide_by_power(function(fixed), 31 - bits) + zero_point
    limits = np.where(values > 0, 127, -128)
    return clamp(np.where(inside, results, limits))


def _hard_swish(operator: Operator) -> np.ndarray:
    scale, zero, target, target_zero = _scales(operator)
    # In the kernel's own 16-bit arithmetic.
    fine = np.float32(1 / 128.0) * np.float32(scale)
    output, output_shift = _sixteen(*quantize_multiplier(np.float64(fine / np.float32(target))))
    relu, relu_shift = _sixteen(*quantize_multiplier(np.float64(fine / np.float32(3 / 32768.0))))
    values = (_STORED - zero) * 128
    scaled = high_product(values, output, bits=15)
    gate = values
    if relu_shift > 0:
        gate = _saturate16(gate << (relu_shift - 1))
    gate = high_product(gate, relu, bits=15)
    if relu_shift > 0:
        gate = _saturate16(gate << 1)
    elif relu_shift < 0:
        gate = divide_by_power(gate, -relu_shift)
    gate = (gate + (1 << 15)) >> 1
    # SaturatingDoublingHighMul, which truncates.
    product = np.sign(gate * scaled) * ((np.abs(gate * scaled) * 2) >> 16)
    results = divide_by_power(product, -output_shift) if output_shift < 0 else product
    return clamp(results + target_zero)


def _rsqrt(operator: Operator) -> np.ndarray:
    """Return 1 / sqrt; TFLM's kernel fails on values below the zero point."""
    scale, zero, target, target_zero = _scales(operator)
    bits = 20
    factor, shift = quantize_multiplier(1 / (np.sqrt(scale) * target))
    results = np.full(256, 127, np.int64)
    for place, value in enumerate(_STORED - zero):
        if value > 0:
            inverse = multiply(np.array(1), *_inverse_root(int(value), bits))
            results[place] = multiply(inverse, factor, shift - bits) + target_zero
    return clamp(results)


def _inverse_root(value: int, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Return ``GetInvSqrtQuantizedMultiplierExp`` of TFLite, times two to the bits."""
    if value <= 1:
        return np.array(_ONE), np.array(bits)
    pairs = (32 - value.bit_length() - 1) // 2 - 1
    fixed = np.array((value << 2 * pairs) >> 1)
    half, three_halves = divide_by_power(fixed, 1), np.array((1 << 28) + (1 << 27))
    x = np.array(1 << 28)
    for _ in range(5):
        cube = _shifted_left(high_product(high_product(x, x), x), 6)
        x = _shifted_left(high_product(three_halves, x) - high_product(half, cube), 3)
    return high_product(x, 1518500250), np.array(bits - (11 - pairs))


def _sixteen(multiplier: np.ndarray, shift: np.ndarray) -> tuple[int, int]:
    """Return a 32-bit multiplier as ``DownScaleInt32ToInt16Multiplier`` does."""
    high = (1 << 31) - 1 - (1 << 15)
    value = int(multiplier)
    return (0x7FFF if value >= high else (value + (1 << 15)) >> 16), int(shift)


def _saturate16(values: np.ndarray) -> np.ndarray:
    return np.clip(values, -(1 << 15), (1 << 15) - 1)


_FUNCTIONS: dict[str, Callable[[Operator], np.ndarray]] = {
    "ELU": _elu,
    "HARD_SWISH": _hard_swish,
    "LEAKY_RELU": _leaky_relu,
    "LOGISTIC": _logistic,
    "QUANTIZE": _quantize,
    "RELU": _relu,
    "RELU6": _relu6,
    "RSQRT": _rsqrt,
    "TANH": _tanh,
}


def _shifted_left(values: np.ndarray, exponent: int) -> np.ndarray:
    return np.clip(values << exponent, -(1 << 31), (1 << 31) - 1)


_ONE = (1 << 31) - 1


def exponential(values: np.ndarray, integer_bits: int) -> np.ndarray:
    """Return gemmlowp's ``exp_on_negative_values``.

    Args:
        values: fixed-point numbers not above 0, ``integer_bits`` before the point, int64.
        integer_bits: at most 5.

    Returns:
        Fixed-point numbers in [0, 1], none before the point.
    """
    fraction = 31 - integer_bits
    quarter = 1 << (fraction - 2)
    rest = (values & (quarter - 1)) - quarter
    result = _exponential_of_quarter(_shifted_left(rest, integer_bits))
    remainder = rest - values
    factors = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
    for exponent, multiplier in zip(range(-2, 5), factors, strict=True):
        if integer_bits > exponent:
            set_ = (remainder & (1 << (fraction + exponent))) != 0
            result = np.where(set_, high_product(result, multiplier), result)
    return np.where(values == 0, _ONE, result)


def _exponential_of_quarter(a: np.ndarray) -> np.ndarray:
    """Return exp of numbers in [-1/4, 0)."""
    constant, third = 1895147668, 715827883
    x = a + (1 << 28)
    x2 = high_product(x, x)
    x3, x4 = high_product(x2, x), high_product(x2, x2)
    tail = divide_by_power(high_product(divide_by_power(x4, 2) + x3, third) + x2, 1)
    return constant + high_product(x + tail, constant)


def _reciprocal(a: np.ndarray) -> tuple[np.ndarray, int]:
    """Return 2 / (1 + a) of numbers in [0, 1], two bits before the point, and its one."""
    total = a + _ONE
    half = (total + np.where(total >= 0, 1, -1)) // 2
    one = 1 << 29
    x = 1515870810 + high_product(half, -1010580540)
    for _ in range(3):
        x = x + _shifted_left(high_product(x, one - high_product(half, x)), 2)
    return x, one


def _logistic_of(a: np.ndarray) -> np.ndarray:
    x, _ = _reciprocal(exponential(-np.abs(a), _INTEGER_BITS))
    # Half of it, from one bit before the point to none.
    positive = _shifted_left(x, 1)
    return np.where(a == 0, 1 << 30, np.where(a > 0, positive, _ONE - positive))


def _tanh_of(a: np.ndarray) -> np.ndarray:
    x, one = _reciprocal(exponential(-np.abs(a), _INTEGER_BITS + 1))
    result = _shifted_left(x - one, 2)
    return np.where(a == 0, 0, np.where(a > 0, result, -result))
