"""Where two interpreters part: the first operator whose results differ."""

from __future__ import annotations

import numpy as np

from tinyseg.errors import InputError
from tinyseg.runtime.tflite import TfliteRunner
from tinyseg.runtime.tflm import TflmRunner
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.lint import operator_name
from tinyseg.tflite.ops.registry import op_of
from tinyseg.tflite.packing import unpacked


def first_difference(model: TfliteModel, image: np.ndarray) -> str:
    """Say which operator of TFLM is the first to differ from TFLite's reference kernels.

    Args:
        model: quantized file; packed weights are unpacked.
        image: stored input without the batch.

    Returns:
        The rest of a sentence on the outputs, empty if every operator agrees or the interpreters
        do not say.
    """
    model = unpacked(model)
    try:
        host = TfliteRunner(model, reference=True, keep_tensors=True)
        host.run(image[None])
        on_tflm = TflmRunner(model).tensors(image)
    except InputError:
        return ""
    for operator in model.operators:
        for tensor in operator.outputs:
            one, other = host.tensor(tensor.index), on_tflm[tensor.index]
            apart = one != other
            if apart.any():
                most = np.abs(one[apart].astype(np.float64) - other[apart]).max()
                note = op_of(operator).differs
                return (
                    f"; {operator_name(operator)} is the first to differ, in {apart.sum()} of "
                    f"{apart.size} stored values by {most:g} at most{note and f' ({note})'}"
                )
    return ""
