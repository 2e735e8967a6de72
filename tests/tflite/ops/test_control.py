"""Operators that call other graphs, and variables: options and what they keep, on both sides."""

import pytest

from tests.tflite.ops.uses import activation, use
from tinyseg.tflite.ops.control import CONTROL
from tinyseg.tflite.ops.registry import cost, options_bytes, persistent, registration
from tinyseg.tflite.target import target_of

NAMES = ["IF", "WHILE", "ASSIGN_VARIABLE", "READ_VARIABLE", "CALL_ONCE", "VAR_HANDLE"]


def one(opcode):
    return use(opcode, [activation(1, 4)], activation(1, 4))


def test_all_of_them():
    assert [op.name for op in CONTROL] == NAMES
    assert {cost(one(name)).ops for name in NAMES} == {0}


@pytest.mark.parametrize(
    ("opcode", "host", "arm"),
    [
        ("CALL_ONCE", (4, [8]), (4, [8])),
        ("VAR_HANDLE", (16, [4]), (8, [4])),
        ("IF", (0, []), (0, [])),
    ],
)
def test_memory(opcode, host, arm):
    for name, expected in (("host", host), ("cortex_m", arm)):
        target = target_of(name)
        assert (options_bytes(opcode, target), persistent(one(opcode), target)) == expected


def test_calls():
    assert registration([one("CALL_ONCE")]) == "AddCallOnce()"
    assert registration([one("VAR_HANDLE")]) == "AddVarHandle()"
