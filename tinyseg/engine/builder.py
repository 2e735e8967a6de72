"""A program in the making: which nodes hold which tensor."""

from __future__ import annotations

import dataclasses

import numpy as np

from tinyseg.engine.program import Data, Kernel, Link, Node, Program
from tinyseg.errors import InputError
from tinyseg.tflite.model import TfliteModel
from tinyseg.tflite.nodes import Operator, Tensor

Shape = tuple[int, int, int]
# Places in a program are 16-bit numbers.
_MOST_ROWS = 0xFFFF


class Builder:
    """Adds nodes for the tensors of a file.

    Args:
        model: a file whose activations are int8.

    Attributes:
        model: as given.
        nodes: so far, sources first.
    """

    def __init__(self, model: TfliteModel) -> None:
        self.model = model
        self.nodes: list[Node] = []
        # Nodes that together, side by side along the channels, are a tensor.
        self._parts: dict[int, tuple[int, ...]] = {}
        self._uses = _uses(model)
        for tensor in model.inputs:
            self.add(tensor, None, ())

    def shape(self, tensor: Tensor) -> Shape:
        """Return rows, width and channels of a tensor.

        Raises:
            InputError: it has more dimensions, or too large ones.
        """
        sizes = [*tensor.shape]
        while len(sizes) > 3 and sizes[0] == 1:
            sizes = sizes[1:]
        rows, width, channels = (*([1] * (3 - len(sizes))), *sizes)[:3]
        if len(sizes) > 3 or max(rows, width) > _MOST_ROWS or not rows * width * channels:
            raise InputError(
                f"{self.model.path}: tensor '{tensor.name}' of shape {tensor.shape} is none that "
                "the engine holds; take --engine tflm"
            )
        return rows, width, channels

    def add(
        self,
        tensor: Tensor,
        kernel: Kernel | None,
        links: tuple[Link, ...],
        params: tuple[int | Data, ...] = (),
        **facts: int,
    ) -> int:
        """Add the node that computes a tensor.

        Args:
            tensor: what it computes.
            kernel, links, params: see :class:`~tinyseg.engine.program.Node`.
            facts: further fields of the node.

        Returns:
            Its index.
        """
        rows, width, channels = self.shape(tensor)
        node = Node(
            kernel, links, rows, width, channels,
            element=np.dtype(tensor.dtype).itemsize, params=params, name=tensor.name, **facts,
        )  # fmt: skip
        index = self.append(node)
        self._parts[tensor.index] = (index,)
        return index

    def append(self, node: Node) -> int:
        """Add a node that is no tensor of the file, and return its index."""
        self.nodes.append(node)
        return len(self.nodes) - 1

    def join(self, tensor: Tensor, sources: tuple[Tensor, ...]) -> None:
        """Let a tensor be others side by side along the channels, without a copy."""
        self._parts[tensor.index] = tuple(i for source in sources for i in self.parts(source))

    def rename(self, tensor: Tensor, source: Tensor) -> None:
        """Let a tensor be another one."""
        self._parts[tensor.index] = self.parts(source)

    def parts(self, tensor: Tensor) -> tuple[int, ...]:
        """Return the nodes that side by side are a tensor; a constant becomes one."""
        if tensor.index not in self._parts:
            if not tensor.constant:
                raise InputError(
                    f"{self.model.path}: tensor '{tensor.name}' is read before it is computed; "
                    "damaged"
                )
            self.add(tensor, None, (), constant=np.ascontiguousarray(tensor.array()).tobytes())
        return self._parts[tensor.index]

    def node(self, tensor: Tensor, op: int) -> int:
        """Return the one node that is a tensor; what lies in several is copied into one."""
        parts = self.parts(tensor)
        if len(parts) == 1:
            return parts[0]
        params: list[int | Data] = [1, 0]
        at = 0
        for part in parts:
            width, channels = self.nodes[part].width, self.nodes[part].channels
            params += [0, 0, 0, at, width, channels, 1]
            at += channels
        links = tuple(Link(part) for part in parts)
        return self.add(tensor, Kernel.COPY_ROWS, links, tuple(params), op=op)

    def alone(self, tensor: Tensor) -> Node | None:
        """Return the last node if it is a tensor that only one operator reads, else None."""
        parts = self._parts.get(tensor.index, ())
        if parts == (len(self.nodes) - 1,) and self._uses.get(tensor.index) == 1:
            return self.nodes[-1]
        return None

    def replace_last(self, tensor: Tensor, params: tuple[int | Data, ...]) -> None:
        """Let the last node compute another tensor of its shape, with other parameters."""
        self.nodes[-1] = dataclasses.replace(self.nodes[-1], params=params, name=tensor.name)
        self._parts[tensor.index] = (len(self.nodes) - 1,)

    def program(self) -> Program:
        """Return the program, without the nodes that no output needs."""
        outputs = tuple(self.node(tensor, 0) for tensor in self.model.outputs)
        made = Program(tuple(self.nodes), len(self.model.inputs), outputs, self.model.path)
        return made.pruned()


def refuse(model: TfliteModel, operator: Operator, why: str) -> InputError:
    """Return the error of an operator that the engine cannot run."""
    layer = operator.outputs[0].layer if operator.outputs else ""
    return InputError(
        f"{model.path}: operator {operator.index} {operator.opcode} (layer '{layer}'): {why}; "
        "take --engine tflm"
    )


def _uses(model: TfliteModel) -> dict[int, int]:
    uses: dict[int, int] = {}
    read = [t for operator in model.operators for t in operator.inputs if t is not None]
    for tensor in (*read, *model.outputs):
        uses[tensor.index] = uses.get(tensor.index, 0) + 1
    return uses
