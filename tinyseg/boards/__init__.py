"""Boards: one TOML file each here, and for most a folder of C++ below ``firmware/boards``."""

from tinyseg.boards.board import Board, board_names, load_board

__all__ = ["Board", "board_names", "load_board"]
