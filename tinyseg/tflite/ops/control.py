"""Operators that call other graphs, and variables."""

from __future__ import annotations

from tinyseg.tflite.ops.memory import Memory, same
from tinyseg.tflite.ops.op import Op, family

CONTROL = (
    *family("IF WHILE ASSIGN_VARIABLE READ_VARIABLE"),
    Op("CALL_ONCE", memory=Memory(same(4), same(8))),
    Op("VAR_HANDLE", memory=Memory((16, 8), same(4), alignment=8)),
)
