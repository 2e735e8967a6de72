"""Execute parts of a network strip by strip, with standard operators.

A strip of rows of a tensor only depends on some rows of the tensors before it. The head and the
tail of a U-Net, whose tensors are the largest, are computed strip by strip, and skips are
computed again where they are needed instead of being stored: less memory for more work, and the
same bytes (compare Lin et al., "MCUNetV2: Memory-efficient patch-based inference for tiny deep
learning", NeurIPS 2021, arXiv 2110.15352).

The operators know which rows they need, ``schedule`` unrolls a network into strips and says
what that takes, ``search`` finds the best schedule, ``emit`` writes it as a graph. ``join`` undoes
that by what ``views`` finds each tensor to be.
"""

from __future__ import annotations

from collections.abc import Callable

from tinyseg.tflite.model import TfliteModel
from tinyseg.tflite.patching.emit import emit
from tinyseg.tflite.patching.search import best_schedule


def patch(
    model: TfliteModel, max_macs: int, *, progress: Callable[[], None] = lambda: None
) -> TfliteModel | None:
    """Return a network that is executed strip by strip where that needs less memory; exact.

    Args:
        model: parsed file; TRANSPOSE_CONV, which cannot be cut, should have been replaced.
        max_macs: multiply-accumulates that it may take.
        progress: called after each plan that the search tries.

    Returns:
        The file; None if strips do not help, or the network has several inputs or outputs, or
        keeps state: an operator that is run once a strip would change it so often.
    """
    if len(model.inputs) != 1 or len(model.outputs) != 1 or not _is_function(model):
        return None
    schedule = best_schedule(model, max_macs, progress=progress)
    if schedule is None:
        return None
    return TfliteModel.parse(emit(model, schedule), model.path)


def _is_function(model: TfliteModel) -> bool:
    """Return whether every result follows from the input, each by one operator."""
    made = {t.index for op in model.operators for t in op.outputs}
    known = made | {tensor.index for tensor in model.inputs}
    read = [t for op in model.operators for t in op.inputs if t is not None and not t.constant]
    stateless = not any(tensor.variable for tensor in model.tensors)
    single = all(len(op.outputs) == 1 and op.outputs[0].shape for op in model.operators)
    grounded = {t.index for t in read} <= known and model.outputs[0].index in made
    return stateless and single and grounded
