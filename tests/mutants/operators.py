"""Kinds of faults that cosmic-ray's own operators lack: slips of people who know the code."""

from __future__ import annotations

from collections.abc import Iterator

from cosmic_ray.operators.operator import Operator
from parso.python.tree import ForStmt, Name
from parso.tree import NodeOrLeaf

_OTHER_FUNCTION = {
    "min": "max", "max": "min", "any": "all", "all": "any", "sum": "max", "mean": "max",
    "floor": "ceil", "ceil": "floor", "minimum": "maximum", "maximum": "minimum",
    "argmax": "argmin", "argmin": "argmax", "height": "width", "width": "height",
    "first": "last", "last": "first", "inputs": "outputs", "outputs": "inputs",
    "startswith": "endswith", "rows": "columns", "columns": "rows",
}  # fmt: skip

_SYMMETRIC = ("min", "max", "minimum", "maximum", "array_equal")

Position = tuple[tuple[int, int], tuple[int, int]]


class _Slip(Operator):
    """An operator that changes some nodes in one way each."""

    @classmethod
    def examples(cls) -> tuple:
        return ()

    def suits(self, node: NodeOrLeaf) -> bool:
        raise NotImplementedError

    def mutation_positions(self, node: NodeOrLeaf) -> Iterator[Position]:
        if self.suits(node):
            yield node.start_pos, node.end_pos


class OtherFunction(_Slip):
    """``min`` for ``max``, ``height`` for ``width`` and other names that are easily confused."""

    def suits(self, node: NodeOrLeaf) -> bool:
        return isinstance(node, Name) and node.value in _OTHER_FUNCTION and not _defines(node)

    def mutate(self, node: Name, index: int) -> Name:
        node.value = _OTHER_FUNCTION[node.value]
        return node


class SwapArguments(_Slip):
    """``f(b, a)`` for ``f(a, b)``."""

    def suits(self, node: NodeOrLeaf) -> bool:
        if node.type != "arglist" or len(_positional(node)) < 2:
            return False
        name = node.get_first_leaf().get_previous_leaf().get_previous_leaf()
        return name.value not in _SYMMETRIC

    def mutate(self, node: NodeOrLeaf, index: int) -> NodeOrLeaf:
        first, second = _positional(node)[:2]
        one, two = node.children.index(first), node.children.index(second)
        node.children[one], node.children[two] = second, first
        return node


class DropKeyword(_Slip):
    """``f(a, **{})`` for ``f(a, b=c)``: a default is taken where something was asked for."""

    def suits(self, node: NodeOrLeaf) -> bool:
        return node.type == "argument" and _code(node.children[1]) == "="

    def mutate(self, node: NodeOrLeaf, index: int) -> Name:
        return _text("**{}", node)


class DropStatement(_Slip):
    """``pass`` for a call whose result nobody takes, or for a change in place."""

    def suits(self, node: NodeOrLeaf) -> bool:
        if node.parent is None or node.parent.type != "simple_stmt":
            return False
        if node.type == "expr_stmt":
            target, sign = node.children[0], _code(node.children[1])
            return sign.endswith("=") and (sign != "=" or target.type == "atom_expr")
        return node.type == "atom_expr" and _code(node).endswith(")")

    def mutate(self, node: NodeOrLeaf, index: int) -> Name:
        return _text("pass", node)


class FirstOnly(_Slip):
    """``for x in list(y)[:1]`` for ``for x in y``: the first stands for all."""

    def suits(self, node: NodeOrLeaf) -> bool:
        return isinstance(node, ForStmt) or node.type in ("sync_comp_for", "comp_for")

    def mutate(self, node: NodeOrLeaf, index: int) -> NodeOrLeaf:
        where = next(i for i, child in enumerate(node.children) if _code(child) == "in") + 1
        node.children[where] = _text(
            f"list({_code(node.children[where])})[:1]", node.children[where]
        )
        return node


OPERATORS = (OtherFunction, SwapArguments, DropKeyword, DropStatement, FirstOnly)


def _positional(arglist: NodeOrLeaf) -> list[NodeOrLeaf]:
    return [
        child
        for child in arglist.children
        if _code(child) != "," and child.type != "argument" and not _code(child).startswith("*")
    ]


def _defines(name: Name) -> bool:
    return name.is_definition() or (
        name.parent.type == "argument" and name.parent.children[0] is name
    )


def _code(node: NodeOrLeaf) -> str:
    return node.get_code(include_prefix=False)


def _text(code: str, instead: NodeOrLeaf) -> Name:
    """Return code as one leaf, with the space before that which it stands for."""
    return Name(code, instead.start_pos, prefix=instead.get_first_leaf().prefix)
