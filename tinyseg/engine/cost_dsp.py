"""Loops of kernels for cores with the DSP extension, ``firmware/engine/kernels/dsp``."""

from __future__ import annotations

from typing import NamedTuple

from tinyseg.engine.cost_windows import FULL, Parts, Reach, Window, numbers
from tinyseg.engine.program import Kernel, Node, Program

_SMALL = (
    *(Kernel.DSP_DEPTHWISE3X3, Kernel.DSP_DEPTHWISE3X3_BY2),
    *(Kernel.DSP_DEPTHWISE2X2, Kernel.DSP_DEPTHWISE1X1),
)
# Pixels of a tile. Where params have the clamp, sign, tiles of a block, what is doubled, pairs.
_TILE = 4
_CLAMP, _SIGNED, _BLOCK, _DOUBLED, _PAIRS = slice(9, 11), 11, 12, 13, 14
_NARROW_PAIRS = 11


def parts(program: Program, node: Node) -> Parts:
    """Return the loops of a row; nothing for a kernel that is not among these."""
    assert node.kernel is not None  # An input has no loops.
    if node.kernel in (Kernel.DSP_CONVOLUTION, Kernel.DSP_TRANSPOSED):
        return _product(program, node)
    if node.kernel is Kernel.DSP_PACKED_CONVOLUTION:
        product = _Product.of(program, node)
        turns = product.blocks * product.pairs
        return _product(program, node) | {
            "dsp unpack": {"pair": turns, "pair's depth": turns * product.depth}
        }
    if node.kernel is Kernel.DSP_NARROW:
        return _narrow(program, node)
    if node.kernel in _SMALL or node.kernel is Kernel.DSP_DEPTHWISE:
        return {node.kernel.name.lower(): _depthwise(program, node)}
    return {}


def _depthwise(program: Program, node: Node) -> dict[str, float]:
    """Return terms of windows that run along a row, channel by channel."""
    window, params = Window.of(node), numbers(node)
    sources = [program.nodes[link.source] for link in node.links]
    reach = Reach.of(node, node.links[0], sources[0].rows)
    inside = window.pixels_inside(node.width, sources[0].width)
    if node.kernel is Kernel.DSP_DEPTHWISE and inside < _TILE:
        inside = 0
    pairs = -(-window.height // 2)
    border = node.channels * (node.width - inside)
    fours = node.channels * -(-inside // _TILE)
    return {
        "row": 1.0,
        "source": len(sources),
        "source's row": len(sources) * window.height,
        "channel": node.channels,
        "element": node.channels * inside,
        "border": border,
        "border's pair": border * pairs * window.width,
        "four": fours,
        "four's pairs of rows": fours * pairs,
        "four's pair": fours * pairs * window.width,
        "row with a border": reach.bordered,
        "byte beyond": reach.bordered * max(source.row_bytes for source in sources),
        "clamped": node.width * node.channels * (tuple(params[_CLAMP]) != FULL),
    }


class _Product(NamedTuple):
    """How a row is divided into products of matrices, see ``gemm.h``.

    Attributes:
        phases: of the output's columns, each with a product of its own.
        runs: pieces of the input's rows under a window, of all phases.
        here: share of them that the input has.
        tiles, pairs: of pixels and of output channels, of a phase.
        edges: tiles whose windows reach beyond the ends of a row.
        edge_bytes: under their windows.
        half, one: whether two pixels of the last tile are enough, or one.
        depth: pairs of products of an output.
        blocks: times that weights are unpacked, of all phases.
        doubled: whether weights are doubled then, rather than inputs.
    """

    phases: int
    runs: float
    here: float
    tiles: int
    pairs: int
    edges: int
    edge_bytes: float
    half: int
    one: int
    depth: float
    blocks: int
    doubled: int

    @classmethod
    def of(cls, program: Program, node: Node) -> _Product:
        """Return the division of a node's rows."""
        window, params = Window.of(node), numbers(node)
        sources = [program.nodes[link.source] for link in node.links]
        reach = Reach.of(node, node.links[0], sources[0].rows)
        phases, rows, columns = 1, float(window.height), window.width
        if node.kernel is Kernel.DSP_TRANSPOSED:
            # Of windows that are no multiple of the stride, a phase has more columns than another.
            phases, rows = window.stride_x, window.height / window.stride_y
            columns = -(-columns // phases)
        is_whole = len(sources) == 1 and (window.dilation_x == 1 or window.width == 1)
        pixels = -(-node.width // phases)
        tiles, depths = -(-pixels // _TILE), params[_PAIRS:]
        if node.kernel is Kernel.DSP_PACKED_CONVOLUTION:
            depths = depths[:1]  # How weights are packed comes behind.
        stride = 1 if phases > 1 else window.stride_x
        edges = 0
        if columns > 1:
            edges = _edge_tiles(pixels, columns, stride, window.left, sources[0].width)
        return cls(
            phases=phases,
            runs=phases * rows * (1 if is_whole else columns) * len(sources),
            here=reach.inside / max(reach.inside + reach.beyond, 1e-9),
            tiles=tiles,
            pairs=-(-node.channels // 2),
            edges=edges,
            edge_bytes=edges * phases * rows * sum(s.channels * columns for s in sources),
            half=int(pixels % _TILE == 2),
            one=int(pixels % _TILE == 1),
            depth=sum(depths) / len(depths),
            blocks=phases * -(-tiles // max(params[_BLOCK], 1)),
            doubled=params[_DOUBLED],
        )

    def gathered(self) -> dict[str, float]:
        """Return terms of windows that become pairs of 16 bits."""
        here, runs, depth = self.here, self.runs, self.phases * self.tiles * self.depth
        return {
            "run": self.blocks / self.phases * runs,
            "inner run": here * runs,
            "inner tile's run": here * runs * max(self.tiles - self.edges, 0),
            "edge's run": here * runs * self.edges,
            "edge's byte": here * self.edge_bytes,
            "filled tile's run": (1 - here) * runs * self.tiles,
            "filled depth": (1 - here) * depth,
            "depth": here * depth * self.doubled,
            "doubled depth": here * depth * (not self.doubled),
        }

    def multiplied(self, channels: int, signed: int, rest: bool) -> dict[str, float]:
        """Return terms of weights that are unpacked, and of products with them."""
        whole = self.phases * self.pairs * (self.tiles - self.half - self.one)
        half = self.phases * self.half * self.pairs
        one = self.phases * self.one * self.pairs
        unpacked = self.blocks * self.pairs * self.depth
        return {
            "block": self.blocks,
            "pair": self.blocks * self.pairs,
            "pair's depth": unpacked * (not self.doubled),
            "doubled pair's depth": unpacked * self.doubled,
            "single channel": self.blocks * (channels % 2),
            "only channel": self.blocks * (channels == 1),
            "tile": whole,
            "signed tile": whole * signed,
            "tile's depth": whole * self.depth,
            "tile's turn": whole * -(-self.depth // 16),
            "last tile": self.phases * self.pairs * rest,
            "half": half,
            "half's depth": half * self.depth,
            "one": one,
            "one's depth": one * self.depth,
        }


def _product(program: Program, node: Node) -> Parts:
    """Return the loops of a product of matrices."""
    assert node.kernel is not None
    params, product = numbers(node), _Product.of(program, node)
    own = {
        "row": 1.0,
        "phase": product.phases,
        "run": product.runs,
        "source": len(node.links),
        "clamped": node.width * node.channels * (tuple(params[_CLAMP]) != FULL),
    }
    rest = -(-node.width // product.phases) % _TILE > 0
    multiplied = product.multiplied(node.channels, params[_SIGNED], rest)
    name = node.kernel.name.lower()
    return {name: own, "dsp gather": product.gathered(), "dsp product": multiplied}


def _narrow(program: Program, node: Node) -> Parts:
    """Return the loops of a row of one to three pixels."""
    window, params = Window.of(node), numbers(node)
    sources = [program.nodes[link.source] for link in node.links]
    is_whole = len(sources) == 1 and (window.dilation_x == 1 or window.width == 1)
    columns = 1 if is_whole else window.width
    under = node.width * window.height
    pairs, depth = -(-node.channels // 2), params[_NARROW_PAIRS]
    own = {
        "row": 1.0,
        "gather": under * columns * len(sources),
        "byte": under * window.width * sum(source.channels for source in sources),
        "depth": node.width * depth,
        "clamped": node.width * node.channels * (tuple(params[_CLAMP]) != FULL),
    }
    loop = {"call": 1.0, "pair": pairs, "pair's depth": pairs * depth}
    return {"dsp_narrow": own, f"dsp narrow {node.width}": loop}


def _edge_tiles(pixels: int, columns: int, stride: int, left: int, width: int) -> int:
    """Return how many tiles have windows that reach beyond the input."""
    tiles = -(-pixels // _TILE)
    first = -(-max(left, 0) // (stride * _TILE))
    last = (width - columns + left) // stride + 1
    return tiles - max(min(last // _TILE, tiles) - first, 0)
