"""What a network may take of a board, and which boards a file fits."""

from __future__ import annotations

import dataclasses

from tinyseg.boards.board import Board, board_names, load_board
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.arena.memory import predict_arena


@dataclasses.dataclass(frozen=True)
class Budget:
    """What a network may take.

    Attributes:
        ram: bytes of the tensor arena.
        flash: bytes of the ``.tflite`` file.
        target: build of TFLM, as for :func:`tinyseg.tflite.arena.memory.predict_arena`.
    """

    ram: int
    flash: int
    target: str = "host"

    @classmethod
    def of(cls, board: Board, model: TfliteModel | None = None) -> Budget:
        """Return a board's budget; the frame that brings an input is taken off its RAM."""
        left = board.budget()
        frame = model.inputs[0].elements if model is not None else 0
        return cls(max(left.arena - frame, 0), left.model, board.target)

    def holds(self, arena: int, file: int) -> bool:
        """Return whether a network fits."""
        return arena <= self.ram and file <= self.flash


def arena_of(model: TfliteModel, target: str) -> int:
    """Return the bytes of the smallest arena in which a file runs."""
    return predict_arena(model, target).needed


def boards_that_hold(model: TfliteModel) -> list[str]:
    """Return the names of the boards, emulated machines aside, that a file fits as it is."""
    found = []
    for name in board_names():
        board = load_board(name)
        if board.machine is None:
            budget = Budget.of(board, model)
            if budget.holds(arena_of(model, budget.target), len(model.content)):
                found.append(name)
    return found
