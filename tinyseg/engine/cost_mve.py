"""Loops of kernels for Helium, ``firmware/engine/kernels/mve``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tinyseg.engine.cost_windows import FULL, Parts, Reach, Window, numbers
from tinyseg.engine.program import Kernel, Node, Program

# Bytes of a vector and of a turn that copies several; channels of a product's group; vectors of a
# pixel that have a loop of their own, and those that have one for outputs without a zero point.
_VECTOR, _BLOCK, _GROUP, _UNROLLED, _FLOORED = 16, 64, 4, 4, (1, 2, 4)
# Where params have the zero point and clamp of the output, whether windows are copied, a product's
# vectors of a pixel; of depthwise ones the kind, pixels of a vector, vectors of a pixel, and taps.
_ZERO, _CLAMP, _COPIED, _STEPS, _PHASES = 9, slice(10, 12), 12, 13, slice(12, None)
_KIND, _PIXELS, _VECTORS, _TAPS = 13, 14, 15, 16
_BITS = 14
_DEPTHWISE = (Kernel.MVE_DEPTHWISE, Kernel.MVE_DEPTHWISE_ANY, Kernel.MVE_DEPTHWISE_MANY)
# Bytes of pieces that are copied two at a time; bytes between single ones that a vector spreads.
_PIECE, _SPREAD = 8, 17
# Last pixels of rows that have an odd number of them.
_LAST = "mve product's last"


class _Columns(NamedTuple):
    """Copies of a row's columns, see ``columns.h``: so many rows, of columns side by side."""

    rows: float
    columns: float
    padded: float
    stride: int
    step: int


def parts(program: Program, node: Node) -> Parts:
    """Return the loops of a row; nothing for a kernel that is not among these."""
    if node.kernel in _DEPTHWISE:
        return _depthwise(program, node)
    if node.kernel is Kernel.MVE_CONVOLUTION:
        return _convolution(program, node)
    if node.kernel is Kernel.MVE_PACKED_CONVOLUTION:
        return _packed_convolution(program, node)
    if node.kernel is Kernel.MVE_TRANSPOSED:
        return _transposed(program, node)
    return {}


def _depthwise(program: Program, node: Node) -> Parts:
    window, params = Window.of(node), numbers(node)
    sources = [program.nodes[link.source] for link in node.links]
    taps = params[_TAPS]
    rest = node.width % params[_PIXELS] != 0
    vectors = node.width // params[_PIXELS] * params[_VECTORS] + rest
    runs = {"inside": 1.0} if params[_COPIED] else _runs(node, window, sources[0])
    own = {
        "row": 1.0,
        **runs,
        "tap": runs["inside"] * taps,
        "border's tap": runs.get("border", 0.0) * taps,
        "rest": rest,
        "rest's tap": rest * taps,
        **_clamped(node, params),
    }
    is_many = node.kernel is Kernel.MVE_DEPTHWISE_MANY
    kind = "any " if node.kernel is Kernel.MVE_DEPTHWISE_ANY else ""
    name = "mve depthwise many" if is_many else f"mve depthwise {kind}{params[_KIND]}"
    loop = {"call": runs["inside"] + runs.get("border", 0.0) + rest, "vector": vectors}
    if is_many:
        loop["vector's tap"] = vectors * taps
    found = {"mve_depthwise": own, name: loop}
    if params[_COPIED]:
        columns = node.width + (window.width - 1) * window.dilation_x // window.stride_x
        outside = max(columns * window.stride_x - sources[0].width, 0) / window.stride_x
        copies = _Columns(window.stride_x, columns, outside, window.stride_x, node.channels)
        found["mve columns"] = _copied(node, sources, copies)
    return found


def _runs(node: Node, window: Window, source: Node) -> dict[str, float]:
    """Return how often pixels run together or alone, rows of the window, and vectors of padding."""
    pixels = window.pixels_inside(node.width, source.width)
    border = node.width - pixels
    bordered = Reach.of(node, node.links[0], source.rows).bordered
    pixel = (1.0 - bordered) * (border > 0)
    filled = bordered * -(-source.row_bytes // _VECTOR) + pixel * -(-source.channels // _VECTOR)
    return {
        "inside": pixels > 0,
        "border": border,
        "window's row": window.height,
        "padded": bordered + pixel,
        "padded vector": filled,
    }


def _convolution(program: Program, node: Node) -> Parts:
    window, params = Window.of(node), numbers(node)
    sources = [program.nodes[link.source] for link in node.links]
    own = {"row": 1.0, **_clamped(node, params), **_narrowed(node)}
    found = {"mve_convolution": own, **_product(node, params[_STEPS], params[_ZERO], [node.width])}
    if params[_COPIED]:
        columns = (node.width - 1) * window.stride_x + window.width
        step = window.height * sum(source.channels for source in sources)
        copies = _Columns(1.0, columns, max(columns - sources[0].width, 0), 1, step)
        found["mve columns"] = _copied(node, sources, copies)
    return found


def _packed_convolution(program: Program, node: Node) -> Parts:
    """Return the loops of a row: those of a plain one, but for a call for each group."""
    params = numbers(node)
    found = _convolution(program, node)
    groups = -(-node.channels // _GROUP)
    vectors = groups * _GROUP * params[_STEPS]
    unpacked = {"group": groups, "vector": vectors, "bit": vectors * params[_BITS]}
    calls = _product(node, params[_STEPS], params[_ZERO], groups * [node.width])
    for name, terms in calls.items():
        found[name] = {
            term: value / (1 if term == "call" else groups) for term, value in terms.items()
        }
    return {"mve_packed_convolution": found.pop("mve_convolution") | unpacked, **found}


def _transposed(program: Program, node: Node) -> Parts:
    window, params = Window.of(node), numbers(node)
    sources = [program.nodes[link.source] for link in node.links]
    phases = window.stride_x
    own = {"row": 1.0, "phase": phases, **_clamped(node, params), **_narrowed(node)}
    border = -(-window.width // phases) - 1
    columns = sources[0].width + 2 * border
    step = -(-window.height // window.stride_y) * sources[0].channels
    copies = _Columns(1.0, columns, 2 * border, 1, step)
    found = {"mve_transposed": own, "mve columns": _copied(node, sources, copies)}
    widths = [-(-(node.width - phase) // phases) for phase in range(phases)]
    steps = params[_PHASES]
    for at, step in enumerate(steps):
        # Each row is of one of the phases of the stride along y.
        for name, terms in _product(node, step, params[_ZERO], [widths[at % phases]]).items():
            sums = found.setdefault(name, {})
            for term, value in terms.items():
                sums[term] = sums.get(term, 0.0) + value / window.stride_y
    return found


def _product(node: Node, steps: int, zero: int, widths: Sequence[int]) -> Parts:
    """Return the loops of products of pixels of so many vectors; see ``gemm.S``."""
    is_short, is_floor = steps <= _UNROLLED, steps in _FLOORED and zero == FULL[0]
    name = f"mve product {steps if is_short else 'long'}{' floor' if is_floor else ''}"
    groups = -(-node.channels // _GROUP)
    # Loops for few steps compute a single pixel as two.
    widths = [2 if width == 1 and is_short else width for width in widths]
    tiles, last = groups * sum(width // 2 for width in widths), groups * sum(w % 2 for w in widths)
    found: dict[str, float] = {"call": len(widths), "group": len(widths) * groups, "tile": tiles}
    if not is_short:
        found |= {"tile's step": tiles * steps, "tile's turn": tiles * -(-steps // 4)}
    ends: dict[str, float] = {"tile": last, "signs": last * (not is_floor), "step": last * steps}
    ends |= {"long tile": last * (not is_short), "long step": last * steps * (not is_short)}
    return {name: found, _LAST: ends}


def _copied(node: Node, sources: Sequence[Node], copies: _Columns) -> dict[str, float]:
    """Return terms of copies of columns."""
    reach = Reach.of(node, node.links[0], sources[0].rows)
    inside, beyond = reach.inside * copies.rows, reach.beyond * copies.rows
    count = copies.columns - copies.padded
    found = {
        "row": (inside + beyond),
        "source": (inside + beyond) * len(sources),
        "filled": (inside * copies.padded + beyond * copies.columns) * len(sources),
    }
    names = "filled vector", "block", "vector", "long", "long block", "long vector", "short"
    found |= dict.fromkeys((*names, "eight", "spread", "spread vector"), 0.0)
    filled = inside * copies.padded + beyond * copies.columns
    for source in sources:
        size = source.channels
        found["filled vector"] += filled * -(-size // _VECTOR)
        if size == copies.step and copies.stride == 1:
            found["block"] += inside * (size * count // _BLOCK)
            found["vector"] += inside * -(-(size * count % _BLOCK) // _VECTOR)
        elif size == _PIECE and copies.stride == 1:
            found["eight"] += inside * count / 2
        elif size == 1 == copies.stride and copies.step <= _SPREAD:
            found["spread"] += inside
            found["spread vector"] += inside * -(-count // _VECTOR)
        elif size > _VECTOR:
            found["long"] += inside * count
            found["long block"] += inside * count * (size // _BLOCK)
            found["long vector"] += inside * count * -(-(size % _BLOCK) // _VECTOR)
        else:
            found["short"] += inside * count
    return found


def _clamped(node: Node, params: Sequence[int]) -> dict[str, float]:
    is_full = tuple(params[_CLAMP]) == FULL
    return {"clamped": 0.0 if is_full else -(-node.width * node.channels // _VECTOR)}


def _narrowed(node: Node) -> dict[str, float]:
    channels = node.channels
    return {
        "only channel": node.width / _GROUP * (channels == 1),
        "pixel of few channels": node.width * (1 < channels < _GROUP),
        "element of few channels": node.width * channels * (1 < channels < _GROUP),
    }
