"""Sizes of a network that fit a budget, their cost computed without training."""

from __future__ import annotations

import bisect
import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinyseg.errors import InputError
from tinyseg.plan import ModelPlan, Plan, PreprocessingPlan
from tinyseg.steps.budget import Budget
from tinyseg.steps.convert import to_integers
from tinyseg.steps.engine_fit import Space, taken_once
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.arena.placement import least_arena
from tinyseg.tflite.graph import Graph
from tinyseg.tflite.input_size import with_input_size
from tinyseg.tflite.lowering import PASSES, avoid_concatenations
from tinyseg.tflite.lowering.constants import share_constants
from tinyseg.tflite.lowering.transposed_convolution import lower_transposed_convolutions
from tinyseg.tflite.ops.registry import total_cost
from tinyseg.zoo import build, builder


class Grid(NamedTuple):
    """What is tried.

    Attributes:
        widths, depths: values of the arguments ``base_width`` and ``depth``.
        sizes: sides of the square input.
    """

    widths: Sequence[int] = (4, 8, 12, 16, 24, 32)
    depths: Sequence[int] = (2, 3, 4)
    sizes: Sequence[int] = (48, 64, 72, 80, 96, 128, 160, 192, 256)


GRID = Grid()


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A size of a network, and what it takes; nothing is trained for this.

    Attributes:
        base_width, depth: arguments of the network.
        size: side of the square input.
        arena_bytes: predicted tensor arena, or the memory that our own engine plans.
        file_bytes: of the int8 file, or of our own engine's program.
        macs: multiply-accumulates.
        parameters: of the float network.
    """

    base_width: int
    depth: int
    size: int
    arena_bytes: int
    file_bytes: int
    macs: int
    parameters: int

    def settings(self) -> dict[str, Any]:
        """Return the plan's values by dotted name."""
        return {
            "model.arguments.base_width": self.base_width,
            "model.arguments.depth": self.depth,
            "preprocessing.height": self.size,
            "preprocessing.width": self.size,
        }


class Taken(NamedTuple):
    """What a file takes: bytes of memory and of flash, work, and whether it fits."""

    ram: int
    flash: int
    macs: int
    fits: bool


# What a converted network takes for inputs of a side.
Measure = Callable[[TfliteModel, int], Taken]


def on_tflm(budget: Budget) -> Measure:
    """Return what measures files as TFLM takes them, lowered."""

    def measure(base: TfliteModel, side: int) -> Taken:
        model = _at_size(base, side)
        arena, file = least_arena(model, budget.target), len(model.content)
        return Taken(arena, file, total_cost(model).macs, budget.holds(arena, file))

    return measure


def on_own(space: Callable[[TfliteModel], Space]) -> Measure:
    """Return what measures files as our own engine takes them, each row computed once.

    Args:
        space: what it may take beside an image and a mask of a file.
    """

    def measure(base: TfliteModel, side: int) -> Taken:
        model = with_input_size(base, side, side)
        ram, flash, fits = taken_once(model, space(model))
        return Taken(ram, flash, total_cost(model).macs, fits)

    return measure


def candidates(
    name: str,
    arguments: Mapping[str, Any],
    channels: int,
    measure: Measure,
    grid: Grid = GRID,
    *,
    progress: Callable[[], None] = lambda: None,
) -> list[Candidate]:
    """Return, for each width and depth, the largest input that fits and what it takes.

    Each width and depth is built and converted once, at a small size, with random weights; other
    sizes follow from its graph.

    Args:
        name, arguments: of the network.
        channels: of its input.
        measure: what a size takes.
        grid: widths, depths and sizes to try.
        progress: called for each width and depth.

    Raises:
        InputError: the network has no argument ``base_width`` or ``depth``.
    """
    found: list[Candidate] = []
    for depth in grid.depths:
        sides = sorted(
            size for size in grid.sizes if size % 2**depth == 0 and size > 2 ** (depth + 1)
        )
        for width in sorted(grid.widths):
            progress()
            if not sides:
                continue
            changed = {**arguments, "base_width": width, "depth": depth}
            base, parameters = _convert(ModelPlan(name, changed), 2 ** (depth + 1), channels)
            largest = _largest(base, sides, measure)
            # Memory grows with the sides: what is too large for one width is for all wider ones.
            sides = [side for side in sides if largest and side <= largest[0]]
            if largest:
                found.append(Candidate(width, depth, *largest, parameters))
    return found


def _largest(
    base: TfliteModel, sides: Sequence[int], measure: Measure
) -> tuple[int, int, int, int] | None:
    """Return the largest side that fits, with its arena, file and work."""
    fitting: dict[int, tuple[int, int, int, int]] = {}

    def too_large(side: int) -> bool:
        taken = measure(base, side)
        fitting[side] = side, taken.ram, taken.flash, taken.macs
        return not taken.fits

    count = bisect.bisect_left(sides, True, key=too_large)
    return fitting[sides[count - 1]] if count else None


def front(found: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates that no other one exceeds in width, depth and input size at once.

    More of each is taken to be more accurate; only training shows by how much. The candidate
    with the most work, the largest network that fits, comes first.
    """

    def sizes(candidate: Candidate) -> np.ndarray:
        return np.array([candidate.base_width, candidate.depth, candidate.size])

    best = [
        candidate
        for candidate in found
        if not any(
            other is not candidate and (sizes(other) >= sizes(candidate)).all() for other in found
        )
    ]
    return sorted(best, key=lambda candidate: -candidate.macs)


def _convert(model: ModelPlan, side: int, channels: int) -> tuple[TfliteModel, int]:
    """Return the int8 form of an untrained network, its batch fixed, and its parameters."""
    known = inspect.signature(builder(model.name)).parameters
    for argument in ("base_width", "depth"):
        if argument not in known:
            raise InputError(f"{model.name}: has no argument {argument} to fit; choose it by hand")
    plan = Plan(model=model, preprocessing=PreprocessingPlan(side, side, channels))
    untrained = build(*plan.network)
    images = np.random.default_rng(0).random((2, side, side, channels), np.float32)
    content, _ = to_integers(untrained, plan, images)
    graph = Graph(content)
    for name, edit in PASSES.items():
        # Transposed convolutions become others at the final size, with rows around them.
        if name != "transposed_convolutions":
            edit(graph)
    return TfliteModel.parse(graph.to_bytes(), model.name), untrained.count_params()


def _at_size(base: TfliteModel, side: int) -> TfliteModel:
    """Return the lowered form of a converted network for other images."""
    graph = Graph(with_input_size(base, side, side).content)
    lower_transposed_convolutions(graph)
    share_constants(graph)
    return avoid_concatenations(TfliteModel.parse(graph.to_bytes(), base.path))[0]
