"""Make a network fit a board: lower it, cut it into strips, or propose a smaller one."""

from __future__ import annotations

import bisect
import dataclasses
import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyseg.errors import InputError
from tinyseg.plan import ModelPlan, Plan, PreprocessingPlan
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.arena.memory import predict
from tinyseg.tflite.arena.placement import least_arena
from tinyseg.tflite.graph import Graph
from tinyseg.tflite.input_size import with_input_size
from tinyseg.tflite.lowering import PASSES, Lowered, avoid_concatenations, lower
from tinyseg.tflite.lowering.constants import share_constants
from tinyseg.tflite.lowering.transposed_convolution import lower_transposed_convolutions
from tinyseg.tflite.ops.registry import total_cost

if TYPE_CHECKING:
    from tinyseg.boards.board import Board

log = logging.getLogger(__name__)

WIDTHS = (4, 8, 12, 16, 24, 32)
DEPTHS = (2, 3, 4)
# Strips have not saved more than this, times the budget.
_HOPELESS = 8
SIZES = (48, 64, 72, 80, 96, 128, 160, 192, 256)


@dataclasses.dataclass(frozen=True)
class Budget:
    """What a network may take.

    Attributes:
        ram: bytes of the tensor arena.
        flash: bytes of the ``.tflite`` file.
        target: build of TFLM, as for :func:`tinyseg.tflite.arena.memory.predict`.
    """

    ram: int
    flash: int
    target: str = "host"

    @classmethod
    def of(cls, board: Board, model: TfliteModel | None = None) -> Budget:
        """Return a board's budget; the frame that brings an input is taken off its RAM."""
        left = board.budget()
        frame = model.inputs[0].elements if model is not None else 0
        return cls(left.arena - frame, left.model, board.target)

    def holds(self, arena: int, file: int) -> bool:
        """Tell whether a network fits."""
        return arena <= self.ram and file <= self.flash


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A size of a network, and what it takes; nothing is trained for this.

    Attributes:
        base_width, depth: arguments of the network.
        size: side of the square input.
        arena_bytes: predicted tensor arena.
        file_bytes: of the int8 file.
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


def fit_file(
    model: TfliteModel, budget: Budget, *, progress: Callable[[], None] = lambda: None
) -> tuple[Lowered, bool]:
    """Lower a file; cut it into strips only if it does not fit otherwise.

    Args:
        model: parsed file.
        budget: what it may take.
        progress: called now and then.

    Returns:
        The lowered file, and whether it fits.

    Raises:
        InputError: the file is damaged or of a kind that cannot be used.
    """
    for patches in (False, True):
        lowered = lower(model, patches=patches, progress=progress)
        arena, file = arena_of(lowered.model, budget.target), len(lowered.model.content)
        if budget.holds(arena, file):
            return lowered, True
        if file > budget.flash or arena > _HOPELESS * budget.ram:
            break
    return lowered, False


def arena_of(model: TfliteModel, target: str) -> int:
    """Return the bytes of the smallest arena in which a file runs."""
    return predict(model, target).needed


def boards_that_hold(model: TfliteModel) -> list[str]:
    """Return the names of the boards, emulated machines aside, that a file fits as it is."""
    from tinyseg.boards import load, names

    found = []
    for name in names():
        board = load(name)
        if board.machine is None:
            budget = Budget.of(board, model)
            if budget.holds(arena_of(model, budget.target), len(model.content)):
                found.append(name)
    return found


def candidates(
    name: str,
    arguments: Mapping[str, Any],
    channels: int,
    budget: Budget,
    *,
    widths: Sequence[int] = WIDTHS,
    depths: Sequence[int] = DEPTHS,
    sizes: Sequence[int] = SIZES,
    progress: Callable[[], None] = lambda: None,
) -> list[Candidate]:
    """Return, for each width and depth, the largest input that fits and what it takes.

    Each width and depth is built and converted once, at a small size, with random weights; other
    sizes follow from its graph.

    Args:
        name, arguments: of the network.
        channels: of its input.
        budget: what it may take.
        widths, depths, sizes: to try.
        progress: called for each width and depth.

    Raises:
        InputError: the network has no argument ``base_width`` or ``depth``.
    """
    found: list[Candidate] = []
    for depth in depths:
        sides = sorted(size for size in sizes if size % 2**depth == 0 and size > 2 ** (depth + 1))
        for width in sorted(widths):
            progress()
            if not sides:
                continue
            changed = {**arguments, "base_width": width, "depth": depth}
            base, parameters = _convert(ModelPlan(name, changed), 2 ** (depth + 1), channels)
            largest = _largest(base, sides, budget)
            # Memory grows with the sides: what is too large for one width is for all wider ones.
            sides = [side for side in sides if largest and side <= largest[0]]
            if largest:
                found.append(Candidate(width, depth, *largest, parameters))
    return found


def _largest(
    base: TfliteModel, sides: Sequence[int], budget: Budget
) -> tuple[int, int, int, int] | None:
    """Return the largest side that fits, with its arena, file and work."""
    fitting: dict[int, tuple[int, int, int, int]] = {}

    def too_large(side: int) -> bool:
        model = _at_size(base, side)
        arena, file = least_arena(model, budget.target), len(model.content)
        fitting[side] = side, arena, file, total_cost(model).macs
        return not budget.holds(arena, file)

    count = bisect.bisect_left(sides, True, key=too_large)
    return fitting[sides[count - 1]] if count else None


def front(found: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates that no other one exceeds in width, depth and input size at once.

    More of each is taken to be more accurate; only training tells by how much. The candidate
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
    from tinyseg.deployment import to_integers
    from tinyseg.zoo import build, builder

    known = inspect.signature(builder(model.name)).parameters
    for argument in ("base_width", "depth"):
        if argument not in known:
            raise InputError(f"{model.name}: has no argument {argument} to fit; choose it by hand")
    preprocessing = PreprocessingPlan(side, side, channels)
    network = build(model, preprocessing)
    images = np.random.default_rng(0).random((2, side, side, channels), np.float32)
    content, _ = to_integers(network, Plan(model=model, preprocessing=preprocessing), images)
    graph = Graph(content)
    for name, edit in PASSES.items():
        # Transposed convolutions become others at the final size, with rows around them.
        if name != "transposed_convolutions":
            edit(graph)
    return TfliteModel.parse(graph.to_bytes(), model.name), network.count_params()


def _at_size(base: TfliteModel, side: int) -> TfliteModel:
    """Return the lowered form of a converted network for other images."""
    graph = Graph(with_input_size(base, side, side).content)
    lower_transposed_convolutions(graph)
    share_constants(graph)
    return avoid_concatenations(TfliteModel.parse(graph.to_bytes(), base.path))[0]
