"""Lower a graph: the same results with less memory and faster kernels.

Each pass is a function that edits a :class:`~tinyseg.tflite.graph.Graph` and returns what it
changed. All of these are exact: not one output byte differs, on TensorFlow Lite's reference
kernels and on TensorFlow Lite Micro. Add a pass: a module, a line in ``PASSES``, a test.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

from tinyseg.errors import InputError
from tinyseg.tflite.arena.memory import predict_arena
from tinyseg.tflite.arena.placement import least_arena, place
from tinyseg.tflite.graph import Graph
from tinyseg.tflite.lint import usable
from tinyseg.tflite.lowering.broadcasts import match_shapes
from tinyseg.tflite.lowering.channel_functions import lower_channel_functions
from tinyseg.tflite.lowering.concatenations import divide_concatenation, join_rows, split_depthwise
from tinyseg.tflite.lowering.constants import share_constants
from tinyseg.tflite.lowering.fixed_batch import fix_batch
from tinyseg.tflite.lowering.integer_border import make_border_integer
from tinyseg.tflite.lowering.transposed_convolution import lower_transposed_convolutions
from tinyseg.tflite.model import OFFLINE_PLAN, TfliteModel
from tinyseg.tflite.ops.registry import total_cost
from tinyseg.tflite.packing import is_packed, pack, unpacked
from tinyseg.tflite.patching import patch

PASSES: dict[str, Callable[[Graph], list[str]]] = {
    "fixed_batch": fix_batch,
    "integer_border": make_border_integer,
    "transposed_convolutions": lower_transposed_convolutions,
    "channel_functions": lower_channel_functions,
    "broadcasts": match_shapes,
    "constants": share_constants,
}
# Passes that cost work or operators, and are only kept where they make the arena smaller.
CONCATENATIONS, PATCHES, PLACEMENT = "concatenations", "patches", "placement"
ALL_PASSES = (*PASSES, CONCATENATIONS, PATCHES, PLACEMENT)
# Passes that help TFLM's kernels and planner alone; our own engine computes rows better without.
TFLM_ONLY = (
    "transposed_convolutions",
    "channel_functions",
    "broadcasts",
    CONCATENATIONS,
    PATCHES,
    PLACEMENT,
)
# Multiply-accumulates that patches may take, times those of the file.
MAX_WORK = 1.6


class Step(NamedTuple):
    """What a file takes after a pass.

    Attributes:
        name: of the pass; ``file`` for the file as it was.
        changed: number of places that it changed.
        arena_bytes: predicted tensor arena of the host interpreter.
        macs: multiply-accumulates.
        operators: number of operators.
        file_bytes: size of the file.
    """

    name: str
    changed: int
    arena_bytes: int
    macs: int
    operators: int
    file_bytes: int


class Lowered(NamedTuple):
    """A lowered file.

    Attributes:
        model: the file.
        steps: what it took after each pass, the file as it was first.
    """

    model: TfliteModel
    steps: tuple[Step, ...]


def lower(
    model: TfliteModel,
    *,
    without: Collection[str] = (),
    patches: bool = False,
    max_work: float = MAX_WORK,
    progress: Callable[[], None] = lambda: None,
) -> Lowered:
    """Apply all passes to a file.

    Args:
        model: parsed file; packed weights are unpacked and packed again.
        without: names of passes to leave out.
        patches: whether to execute parts in strips, for less memory and more work.
        max_work: multiply-accumulates that patches may take, times those of the file.
        progress: called now and then in a long search.

    Raises:
        InputError: the file is damaged or of a kind that cannot be used, or there is no such pass.
    """
    for name in without:
        if name not in ALL_PASSES:
            raise InputError(f"pass '{name}' is unknown; choose from {', '.join(ALL_PASSES)}")
    usable(model)
    steps = [_step("file", 1, model)]
    budget = round(max_work * total_cost(model).macs)
    current, packed = unpacked(model), is_packed(model)
    for name, edit in PASSES.items():
        if name not in without:
            current, changed = _apply(current, edit)
            if changed:
                steps.append(_step(name, changed, current))
    found = [(current, steps)]
    if CONCATENATIONS not in without:
        narrow, changed = avoid_concatenations(current)
        found.append((narrow, [*steps, _step(CONCATENATIONS, changed, narrow)]))
    if patches and PATCHES not in without:
        # A file that was lowered before has rows that no strip can cut.
        thin, _ = _apply(_apply(current, join_rows)[0], split_depthwise)
        patched = patch(thin, budget, progress=progress)
        if patched is not None:
            found.append((patched, [*steps, _step(PATCHES, 1, patched)]))
    best, steps = min(found, key=lambda item: least_arena(item[0]))
    return _finish(packed, PLACEMENT not in without, best, steps)


def avoid_concatenations(model: TfliteModel) -> tuple[TfliteModel, int]:
    """Split depthwise convolutions of concatenations; divide those at the peak; exact.

    Returns:
        The file, and the number of changed places.
    """
    model, split = _apply(model, split_depthwise)
    divided = 0
    while True:
        memory = predict_arena(model)
        graph = Graph(model.content, model.path)
        if not divide_concatenation(graph, memory.peak_operator):
            return model, split + divided
        narrower = TfliteModel.parse(graph.to_bytes(), model.path)
        if predict_arena(narrower).lower_bound >= memory.lower_bound:
            return model, split + divided
        model, divided = narrower, divided + 1


def _apply(model: TfliteModel, edit: Callable[[Graph], list[str]]) -> tuple[TfliteModel, int]:
    graph = Graph(model.content, model.path)
    changed = len(edit(graph))
    return TfliteModel.parse(graph.to_bytes(), model.path) if changed else model, changed


def _finish(packed: bool, placed: bool, model: TfliteModel, steps: list[Step]) -> Lowered:
    if packed:
        model = TfliteModel.parse(pack(model.content), model.path)
    if placed:
        better = TfliteModel.parse(place(model.content), model.path)
        if OFFLINE_PLAN in better.metadata:
            return Lowered(better, (*steps, _step(PLACEMENT, 1, better)))
    return Lowered(model, tuple(steps))


def _step(name: str, changed: int, model: TfliteModel) -> Step:
    return Step(
        name,
        changed,
        predict_arena(model).total,
        total_cost(model).macs,
        len(model.operators),
        len(model.content),
    )
