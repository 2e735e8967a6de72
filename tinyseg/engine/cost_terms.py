"""What the time of a row may be made of: how often each loop of its kernel runs."""

from __future__ import annotations

from tinyseg.engine import cost_dsp, cost_mve
from tinyseg.engine.cost_windows import FULL, Parts, Reach, Window, is_windowed, numbers
from tinyseg.engine.program import Kernel, Node, Program

# Rows of inputs and outputs, and what the interpreter takes to find the next row.
INPUT, OUTPUT, STEP = "input", "output", "step"
# Numbers of an operand of an elementwise operator, and of its steps.
_OPERAND, _STEPS = 5, 2
_ELEMENTWISE = (
    *(Kernel.ADD, Kernel.MULTIPLY, Kernel.MIN_MAX, Kernel.SQUARED_DIFFERENCE),
    Kernel.MVE_MULTIPLY,
)
_TABLES = (Kernel.TABLE, Kernel.DSP_TABLE, Kernel.MVE_TABLE)
_RESIZES = (Kernel.DSP_RESIZE_NEAREST, Kernel.MVE_RESIZE_NEAREST)
# Scales, and the sign, with which DSP_ADD takes four elements at once.
_ADD = (1 << 20, 1 << 21, 2)
# What is left of a pixel behind its last word.
_RESTS = ("", "bytes", "halves", "bytes")
_VECTOR, _WORD, _HALF_VECTOR = 16, 4, 8


def parts(program: Program, node: Node) -> Parts:
    """Return the loops that a row of a node runs, on average over its rows.

    Returns:
        By the name of a loop or a kernel, under which factors are stored: terms, and how many of
        each a row has.
    """
    if node.kernel is None:
        return {INPUT: border_terms(node)}
    found = cost_dsp.parts(program, node) or cost_mve.parts(program, node)
    if not found:
        found = {key(node): _windows(program, node) if is_windowed(node) else _plain(program, node)}
    return found | {STEP: {"row": 1.0, "link": len(node.links)}}


def key(node: Node) -> str:
    """Return the name under which factors of a kernel are stored: its own, and how it is used."""
    assert node.kernel is not None  # An input has no kernel.
    name = node.kernel.name.lower()
    if is_windowed(node):
        return f"{name} of one pixel" if node.width == node.rows == 1 else name
    params = numbers(node)
    if node.kernel in _RESIZES:
        kind = "byte" if node.channels == 1 else _RESTS[node.channels % _WORD]
        return f"{name} of {kind}" if kind else name
    if node.kernel in _TABLES:
        return f"{name} of each channel" if params[-1] else name
    if node.kernel is Kernel.DSP_GATE:
        return name + (" and table" if any(not isinstance(p, int) for p in node.params) else "")
    if node.kernel is Kernel.DSP_MULTIPLY and params[2]:
        return f"{name} broadcast"
    if node.kernel is Kernel.DSP_ADD and (params[0], params[2], params[7]) != _ADD:
        return f"{name} by one"
    if node.kernel in _ELEMENTWISE:
        steps = [params[at : at + _STEPS] for at in (0, _OPERAND)]
        if node.channels > 1 and any(step[1] == 0 for step in steps):
            return f"{name} broadcast"
    return name


def border_terms(node: Node) -> dict[str, float]:
    """Return what a row that comes from or goes to the caller has of each term."""
    return {"row": 1.0, "byte": node.row_bytes}


def _sizes(node: Node) -> dict[str, float]:
    width, channels = node.width, node.channels
    found = {"row": 1.0, "source": len(node.links), "pixel": width, "element": width * channels}
    for size in (_VECTOR, _HALF_VECTOR, _WORD):
        found[f"{size} channels"] = width * -(-channels // size)
    found["16 elements"] = -(-width * channels // _VECTOR)
    return found | {"channel": channels, "8 channels a row": -(-channels // _HALF_VECTOR)}


def _plain(program: Program, node: Node) -> dict[str, float]:
    """Return terms of kernels that take pixels or elements one after another."""
    width, channels = node.width, node.channels
    found = _sizes(node)
    found |= {"word": width * (channels // _WORD), "byte": width * (channels % _WORD)}
    found |= {"4 elements": -(-width * channels // _WORD), "byte read": 0.0, "pixel apart": 0.0}
    found |= {"product": node.macs, "channel's products": node.macs / max(width, 1)}
    for link in node.links:
        source = program.nodes[link.source]
        inside = Reach.of(node, link, source.rows).inside
        found["byte read"] += inside * source.row_bytes
        found["pixel apart"] += inside * source.width * (source.channels != channels)
    return found


def _windows(program: Program, node: Node) -> dict[str, float]:
    """Return terms of portable kernels with windows."""
    reach = Reach.of(node, node.links[0], program.nodes[node.links[0].source].rows)
    area = Window.of(node).width * reach.inside
    elements = node.width * node.channels
    depth = node.macs / elements
    clamped = tuple(numbers(node)[-2:]) != FULL
    return _sizes(node) | {
        "window": node.width * area,
        "channel's window": node.channels * area,
        "element's window": elements * area,
        "4 channels' window": node.width * -(-node.channels // _WORD) * area,
        "16 channels' window": node.width * -(-node.channels // _VECTOR) * area,
        "element's products": elements * depth,
        "channel's products": node.channels * depth,
        "clamped": elements * clamped,
    }
