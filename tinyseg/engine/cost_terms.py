"""What the time of a row may be made of: how often each loop of its kernel runs."""

from __future__ import annotations

from typing import NamedTuple

from tinyseg.engine.program import Kernel, Node, Program

INPUT, OUTPUT = "input", "output"
# Numbers of an operand of an elementwise operator, and of its steps.
_OPERAND, _STEPS = 5, 2
_WINDOWED = ("CONVOLUTION", "DEPTHWISE", "TRANSPOSED", "POOL")
_ELEMENTWISE = (
    *(Kernel.ADD, Kernel.MULTIPLY, Kernel.MIN_MAX, Kernel.SQUARED_DIFFERENCE),
    *(Kernel.MVE_ADD, Kernel.MVE_MULTIPLY),
)
_TABLES = (Kernel.TABLE, Kernel.DSP_TABLE, Kernel.MVE_TABLE)
# Pixels, channels, and products of an element that kernels without DSP take together.
_TILES = ((1, 1, 1), (2, 4, 16))
# Of the DSP kernels: pixels of a tile; where params have sign, tiles of a block,
# and where the weights' pairs of each phase begin.
_TILE, _SIGNED, _BLOCK, _DOUBLED, _PAIRS = 4, 11, 12, 13, 14
# Of the Helium kernels: bytes of a vector, vectors of products that have a loop of their own;
# where params tell whether windows are copied, a column's bytes there, and groups of taps.
_VECTOR, _UNROLLED = 16, 4
_COPIED, _PITCH, _GROUPS = 12, 13, 14
_FULL = (-128, 127)


class _Window(NamedTuple):
    height: int
    width: int
    stride_y: int
    stride_x: int
    dilation_y: int
    dilation_x: int
    top: int
    left: int


def key(node: Node) -> str:
    """Return the name under which a node's factors are stored: its kernel, and how it is used."""
    if node.kernel is None:
        return INPUT
    name = node.kernel.name.lower()
    if _is_any(node.kernel, _WINDOWED):
        if node.width == 1 and node.rows == 1:
            return f"{name} of one pixel"
        window = _window(node)
        size = f" {window.height}x{window.width}" if "DEPTHWISE" in node.kernel.name else ""
        by = f" by {window.stride_x}" if window.stride_x > 1 else ""
        return name + size + _loop(node, window) + by
    numbers = _numbers(node)
    if node.kernel in (Kernel.DSP_RESIZE_NEAREST, Kernel.MVE_RESIZE_NEAREST):
        return name + (" of bytes" if node.channels % 4 else "")
    if node.kernel in _TABLES:
        return f"{name} of each channel" if numbers[-1] else name
    if node.kernel is Kernel.DSP_GATE:
        return name + (" and table" if any(not isinstance(p, int) for p in node.params) else "")
    if node.kernel is Kernel.DSP_MULTIPLY and numbers[2]:
        return f"{name} broadcast"
    if node.kernel in _ELEMENTWISE:
        steps = [numbers[at : at + _STEPS] for at in (0, _OPERAND)]
        if node.channels > 1 and any(step[1] == 0 for step in steps):
            return f"{name} broadcast"
    return name


def _loop(node: Node, window: _Window) -> str:
    """Return which of its loops a kernel runs."""
    if node.kernel in (Kernel.MVE_CONVOLUTION, Kernel.MVE_TRANSPOSED):
        vectors = -(-_depth(node, window) // _VECTOR)
        return f" {vectors} vectors" if vectors <= _UNROLLED else " many vectors"
    if node.kernel is Kernel.MVE_DEPTHWISE:
        return f" {_numbers(node)[_GROUPS]} groups"
    is_one = node.kernel in (Kernel.DSP_CONVOLUTION, Kernel.DSP_TRANSPOSED) and node.channels == 1
    return " joined" if len(node.links) > 1 else " of one channel" if is_one else ""


def _depth(node: Node, window: _Window) -> int:
    """Return the products of an element of a convolution, or of the largest phase of one."""
    depth = node.macs // (node.width * node.channels)
    if node.kernel is not Kernel.MVE_TRANSPOSED:
        return depth
    taps = window.height * window.width
    strides = window.stride_y * window.stride_x
    largest = -(-window.height // window.stride_y) * -(-window.width // window.stride_x)
    return round(depth * strides / taps) * largest


def terms(program: Program, node: Node) -> dict[str, float]:
    """Return what a row of a node has of each term."""
    if node.kernel is None:
        return border_terms(node)
    width, channels = node.width, node.channels
    found = {"row": 1.0, "source": len(node.links), "pixel": width, "element": width * channels}
    found |= {"channel": channels, "16 channels": width * -(-channels // 16)}
    found["16 elements"] = -(-width * channels // 16)
    if not _is_any(node.kernel, _WINDOWED):
        sources = [program.nodes[link.source] for link in node.links]
        found["byte read"] = sum(source.row_bytes for source in sources)
        apart = sum(s.width for s in sources if s.channels != channels)
        found |= {"4 elements": -(-width * channels // 4), "pixel apart": apart}
        return found | {"word": width * (channels // 4), "byte": width * (channels % 4)}
    window = _window(node)
    sources = [program.nodes[link.source] for link in node.links]
    found["byte under windows"] = window.height * sum(source.row_bytes for source in sources)
    if node.kernel in (Kernel.DSP_CONVOLUTION, Kernel.DSP_TRANSPOSED):
        return found | _tiles(node, window, sources)
    if node.kernel.name.startswith("MVE"):
        found |= _vectors(node, window, sources)
    if _is_any(node.kernel, ("CONVOLUTION", "TRANSPOSED")):
        phases = window.stride_x if "TRANSPOSED" in node.kernel.name else 1
        return found | _products(node, phases, node.macs / (width * channels))
    return found | _walks(node, window)


def border_terms(node: Node) -> dict[str, float]:
    """Return what a row that comes from or goes to the caller has of each term."""
    return {"row": 1.0, "byte": node.row_bytes}


def _walks(node: Node, window: _Window) -> dict[str, float]:
    """Return terms of windows that run along a row, channel by channel."""
    width, channels, area = node.width, node.channels, window.height * window.width
    assert node.kernel is not None  # An input has no windows.
    clamped = node.kernel.name.startswith("DSP") and tuple(_numbers(node)[9:11]) != _FULL
    return {
        "clamped": width * channels * clamped,
        "4 channels": width * -(-channels // 4),
        "channel's window": channels * area,
        "element's window": width * channels * area,
        "16 channels' window": width * -(-channels // 16) * area,
        "2 pixels": -(-width // 2) * channels,
        "4 pixels": -(-width // 4) * channels,
    }


def _products(node: Node, phases: int, depth: float) -> dict[str, float]:
    """Return terms of products of matrices: so many of each row, ``depth`` products an element."""
    found = {"pixel's products": node.width * depth}
    pixels = -(-node.width // phases)
    for tile, block, step in _TILES:
        name, channels = f"{tile} x {block}", -(-node.channels // block)
        blocks, products = phases * -(-pixels // tile) * channels, -(-depth // step) * step
        found[name] = blocks
        found[f"{name} products"] = blocks * products
        found[f"{block} channels' products"] = phases * channels * products
    return found


def _vectors(node: Node, window: _Window, sources: list[Node]) -> dict[str, float]:
    """Return terms of copies of windows, and of vectors along a row, of Helium kernels."""
    numbers, stride = _numbers(node), window.stride_x
    if node.kernel is Kernel.MVE_DEPTHWISE:
        pitch, columns = numbers[_PITCH], node.width + (window.width - 1) // stride
        rows, pieces = window.height * stride, columns * (pitch != node.channels or stride > 1)
        vectors = node.width * node.channels / _VECTOR
        found = {"vector": -(-node.width * pitch // _VECTOR) if pitch >= _VECTOR else vectors}
        copied, columns = numbers[_COPIED], columns * pitch
    else:
        depth = sum(source.channels for source in sources)
        phases = stride if node.kernel is Kernel.MVE_TRANSPOSED else 1
        groups = -(-node.channels // 4)
        odd = phases * (node.width // phases % 2)
        found = {
            "odd pixel": odd,
            "odd pixel's group": odd * groups,
            "odd pixel's products": odd * groups * -(-_depth(node, window) // _VECTOR),
            "pixel of few channels": node.width * (node.channels < 4),
        }
        columns, rows, copied = (node.width - 1) * stride + window.width, window.height, True
        if node.kernel is Kernel.MVE_CONVOLUTION:
            copied = numbers[_COPIED]
        else:
            columns = node.width // stride + 2 * (-(-window.width // stride) - 1)
            rows = -(-rows // window.stride_y)
        pieces, columns = columns * len(sources), columns * depth
    clamped = tuple(numbers[10:12]) != _FULL
    return found | {
        "clamped": -(-node.width * node.channels // _VECTOR) * clamped,
        "copied row": rows * copied,
        "copied piece": rows * pieces * copied,
        "copied byte": rows * columns * copied,
    }


def _tiles(node: Node, window: _Window, sources: list[Node]) -> dict[str, float]:
    """Return terms of the DSP kernels' products of matrices, see ``kernels/dsp/gemm.h``."""
    numbers = _numbers(node)
    phases, height, columns = 1, float(window.height), window.width
    if node.kernel is Kernel.DSP_TRANSPOSED:
        phases = window.stride_x
        # Of windows that are no multiple of the stride, a phase has more columns than another.
        height, columns = height / window.stride_y, -(-columns // phases)
    is_whole = len(sources) == 1 and (window.dilation_x == 1 or window.width == 1)
    sizes = [source.channels * (columns if is_whole else 1) for source in sources]
    runs = height * (1 if is_whole else columns)
    pixels = -(-node.width // phases)
    tiles, pairs = -(-pixels // _TILE), -(-node.channels // 2)
    # Of the last tile half is enough for one or two pixels.
    half = int(0 < pixels % _TILE < _TILE - 1)
    whole = tiles - half
    pairs_of_depth = numbers[_PAIRS:]
    depth = sum(pairs_of_depth) / len(pairs_of_depth)
    blocks = -(-tiles // max(numbers[_BLOCK], 1))
    stride = 1 if phases > 1 else window.stride_x
    edges = (
        _edge_tiles(pixels, columns, stride, window.left, sources[0].width) if columns > 1 else 0
    )
    found = {
        "tile": tiles,
        "tile's run": tiles * runs * len(sizes),
        "tile's depth": tiles * depth,
        "edge's run": edges * runs * len(sizes),
        "edge's byte": edges * runs * sum(sizes),
        "pair": blocks * pairs,
        "pair's depth": blocks * pairs * depth,
        "doubled tile's depth": tiles * depth * (not numbers[_DOUBLED]),
        "doubled pair's depth": blocks * pairs * depth * numbers[_DOUBLED],
        "single channel": blocks * (node.channels % 2),
        "tile's single channel": tiles * (node.channels % 2),
        "tile's pair": whole * pairs,
        "signed tile's pair": whole * pairs * numbers[_SIGNED],
        "tile's pair's depth": whole * pairs * depth,
        "last pair": pairs * (pixels % _TILE > 0),
        "half's pair": half * pairs,
        "half's pair's depth": half * pairs * depth,
        "clamped": node.width * node.channels * (tuple(numbers[9:11]) != _FULL),
    }
    return {term: value if term == "clamped" else value * phases for term, value in found.items()}


def _edge_tiles(pixels: int, columns: int, stride: int, left: int, width: int) -> int:
    """Return how many tiles have windows that reach beyond the input."""
    tiles = -(-pixels // _TILE)
    first = -(-max(left, 0) // (stride * _TILE))
    last = (width - columns + left) // stride + 1
    return tiles - max(min(last // _TILE, tiles) - first, 0)


def _window(node: Node) -> _Window:
    return _Window(*_numbers(node)[:8])


def _numbers(node: Node) -> list[int]:
    return [param for param in node.params if isinstance(param, int)]


def _is_any(kernel: Kernel, words: tuple[str, ...]) -> bool:
    return any(word in kernel.name for word in words)
