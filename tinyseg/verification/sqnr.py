"""Where quantization noise enters: signal-to-noise ratio layer by layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyseg.runtime.runner import TensorSpec, stored
from tinyseg.runtime.tflite import TfliteRunner
from tinyseg.tflite import TfliteModel


def sqnr_db(reference: np.ndarray, quantized: np.ndarray) -> float | None:
    """Return 10 log10(signal power / error power) in dB.

    Args:
        reference: float values.
        quantized: dequantized values of the same shape.

    Returns:
        Decibels; None if the signal is zero or the two are equal (no finite ratio).
    """
    signal = float(np.square(reference, dtype=np.float64).sum())
    noise = float(np.square(reference.astype(np.float64) - quantized).sum())
    return 10 * float(np.log10(signal / noise)) if signal > 0 and noise > 0 else None


def layer_sqnr(
    reference: TfliteModel,
    quantized: TfliteModel,
    image: np.ndarray,
    integer_runner: TfliteRunner | None = None,
) -> list[dict[str, Any]]:
    """Compare every activation that both files compute, on one image.

    Args:
        reference: float32 conversion of the network.
        quantized: integer conversion of the same network; tensors pair up by name.
        image: network input, float32 ``(height, width, channels)``.
        integer_runner: that keeps tensors and ran the quantized file on that image last, on
            reference kernels; None to run it.

    Returns:
        ``{"operator", "opcode", "layer", "sqnr_db"}`` in execution order.
    """
    # The integers are those of boards; floats are the same on the faster kernels.
    float_runner = _ran(TfliteRunner(reference, reference=False, keep_tensors=True), image)
    if integer_runner is None:
        integer_runner = _ran(TfliteRunner(quantized, keep_tensors=True), image)
    float_index = {t.name: t.index for operator in reference.operators for t in operator.outputs}
    rows = []
    for operator in quantized.operators:
        tensor = operator.outputs[0]
        if tensor.name not in float_index:
            continue
        values = TensorSpec.of(tensor).dequantize(integer_runner.tensor(tensor.index))
        ratio = sqnr_db(float_runner.tensor(float_index[tensor.name]), values)
        rows.append(
            {
                "operator": operator.index,
                "opcode": operator.opcode,
                "layer": tensor.layer,
                "sqnr_db": ratio,
            }
        )
    return rows


def _ran(runner: TfliteRunner, image: np.ndarray) -> TfliteRunner:
    runner.run(stored(runner.input, image[None]))
    return runner
