"""A network as nodes that compute rows: compiled, then placed in memory, then packed."""

from __future__ import annotations

import dataclasses
import enum
from typing import NamedTuple

from tinyseg.tflite.ops.rows import Rows

# Of the runtime's table of kernels.
KERNEL_COUNT = 64


class Kernel(enum.IntEnum):
    """Kernels of the runtime, by the numbers of ``firmware/engine/kernel.h``.

    Portable ones come first; those of classes of cores are ``DSP_...`` from 24 and ``MVE_...`` from
    48, and belong to the namespace of that name.
    """

    COPY_ROWS = 0
    CONVOLUTION = 1
    DEPTHWISE = 2
    TRANSPOSED = 3
    TABLE = 4
    ADD = 5
    MULTIPLY = 6
    MAX_POOL = 7
    AVERAGE_POOL = 8
    RESIZE_NEAREST = 9
    RESIZE_BILINEAR = 10
    RESHAPE = 11
    TRANSPOSE = 12
    SOFTMAX = 13
    MEAN = 14
    MATRIX_MULTIPLY = 15
    DEPTH_TO_SPACE = 16
    SPACE_TO_DEPTH = 17
    BINARY_CONVOLUTION = 18
    MIN_MAX = 19
    SQUARED_DIFFERENCE = 20
    PACKED_CONVOLUTION = 21
    PACKED_TRANSPOSED = 22
    DSP_NARROW = 24
    DSP_AVERAGE_POOL = 25
    DSP_PACKED_CONVOLUTION = 26
    DSP_CONVOLUTION = 32
    DSP_TRANSPOSED = 33
    DSP_DEPTHWISE = 34
    DSP_DEPTHWISE3X3 = 35
    DSP_DEPTHWISE3X3_BY2 = 36
    DSP_DEPTHWISE2X2 = 37
    DSP_DEPTHWISE1X1 = 38
    DSP_MULTIPLY = 39
    DSP_ADD = 40
    DSP_MAX_POOL = 41
    DSP_TABLE = 42
    DSP_RESIZE_NEAREST = 43
    DSP_GATE = 44
    DSP_PIXEL_TABLE = 45
    DSP_DOT = 46
    MVE_CONVOLUTION = 48
    MVE_TRANSPOSED = 49
    MVE_DEPTHWISE = 50
    MVE_TABLE = 51
    MVE_ADD = 52
    MVE_MULTIPLY = 53
    MVE_MAX_POOL = 54
    MVE_RESIZE_NEAREST = 55
    MVE_COPY_ROWS = 56
    MVE_AVERAGE_POOL = 57
    MVE_DEPTHWISE_ANY = 58
    MVE_DEPTHWISE_MANY = 59
    MVE_PACKED_CONVOLUTION = 60


class Need(NamedTuple):
    """Which rows of a source a row needs.

    Row r needs ``(r * step + low) // divisor`` to ``(r * step + high) // divisor``, both
    included, as far as the source has them.
    """

    step: int = 1
    low: int = 0
    high: int = 0
    divisor: int = 1

    def rows(self, row: int, height: int) -> Rows:
        """Return the rows of a source of so many rows; empty where it has none of them."""
        first = max((row * self.step + self.low) // self.divisor, 0)
        last = min((row * self.step + self.high) // self.divisor + 1, height)
        return Rows(min(first, height), max(last, 0))


def whole(height: int) -> Need:
    """Return the need of all rows of a source."""
    return Need(0, 0, height - 1, 1)


class Link(NamedTuple):
    """A source of a node.

    Attributes:
        source: index of the node.
        need: which of its rows.
    """

    source: int
    need: Need = Need()


class Data(NamedTuple):
    """Bytes in flash: weights, tables, channels' factors; equal ones are stored once."""

    content: bytes


@dataclasses.dataclass(frozen=True)
class Node:
    """Computes rows of one tensor, the lowest first.

    Attributes:
        kernel: what computes a row; None for an input and a constant.
        links: sources, each an earlier node.
        rows, width, channels: of the tensor.
        element: bytes of an element.
        params: the kernel's parameters, 32-bit numbers and places of data, in the order of
            ``firmware/engine/params.h``.
        macs: multiply-accumulates of one row.
        scratch: bytes that the kernel needs while it computes a row.
        constant: content of a constant.
        name: of the tensor in the file, for people.
        op: index of the operator in the file, for ticks and messages.
    """

    kernel: Kernel | None
    links: tuple[Link, ...]
    rows: int
    width: int
    channels: int
    element: int = 1
    params: tuple[int | Data, ...] = ()
    macs: int = 0
    scratch: int = 0
    constant: bytes | None = None
    name: str = ""
    op: int = 0

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return self.width * self.channels * self.element


@dataclasses.dataclass(frozen=True)
class Program:
    """A network.

    Attributes:
        nodes: sources before those that read them; the inputs come first.
        inputs: number of input nodes.
        outputs: nodes whose rows go to the caller, in the file's order.
        path: of the file, for messages.
    """

    nodes: tuple[Node, ...]
    inputs: int
    outputs: tuple[int, ...]
    path: str = "model"

    def readers(self) -> list[list[tuple[int, Link]]]:
        """Return for each node those that read it, with the link."""
        readers: list[list[tuple[int, Link]]] = [[] for _ in self.nodes]
        for index, node in enumerate(self.nodes):
            for link in node.links:
                readers[link.source].append((index, link))
        return readers

    def pruned(self) -> Program:
        """Return the program without the nodes that no output needs, but for inputs."""
        needed = set(self.outputs) | set(range(self.inputs))
        for index in reversed(range(len(self.nodes))):
            if index in needed:
                needed.update(link.source for link in self.nodes[index].links)
        kept = sorted(needed)
        numbers = {old: new for new, old in enumerate(kept)}
        nodes = tuple(
            dataclasses.replace(
                self.nodes[old],
                links=tuple(Link(numbers[k.source], k.need) for k in self.nodes[old].links),
            )
            for old in kept
        )
        outputs = tuple(numbers[index] for index in self.outputs)
        return dataclasses.replace(self, nodes=nodes, outputs=outputs)
