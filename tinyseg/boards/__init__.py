"""Boards: one TOML file each here, and for most a folder of C++ below ``firmware/boards``."""

from tinyseg.boards.board import Board, load, names

__all__ = ["Board", "load", "names"]
