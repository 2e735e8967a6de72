"""The tensor arena, measured in this process."""

import re

from tflite_micro.python.tflite_micro import runtime


def measure(content, capture, arena=1 << 22):
    """Head and tail in bytes, as TFLM's recording allocator prints them from C++.

    Args:
        content: a file of any number of inputs and outputs.
        capture: pytest's ``capfd``.
        arena: bytes to run in.
    """
    runtime.Interpreter.from_bytes(content, arena_size=arena).print_allocations()
    sizes = dict(re.findall(r"Arena allocation (\w+) (\d+) bytes", capture.readouterr().err))
    return int(sizes["head"]), int(sizes["tail"])
