"""Which kernel of a class of cores each node gets: the one with the fewest instructions."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

from tinyseg.engine import cost
from tinyseg.engine.cores import RULES, Core
from tinyseg.engine.program import Node, Program

# What a row of a node takes on a class of cores; None where that is not known.
Price = Callable[[Program, Node, Core], float | None]
# Of the first kernel's price, below which another is taken: the cost model is up to 5 % off, and
# each more kernel is code.
_CLEAR = 0.95


def specialize(program: Program, core: Core, price: Price = cost.of_row) -> Program:
    """Return a program whose nodes have the cheapest kernels of a class of cores.

    Args:
        program: of portable kernels.
        core: the class; what none of its kernels computes keeps the portable one.
        price: instructions, unless told otherwise. Of nodes with about the same, and of those
            without, the first in the order of the class's rules is taken.
    """

    def paid(made: Node) -> float:
        found = price(program, made, core)
        return math.inf if found is None else found

    def special(node: Node) -> Node:
        found = candidates(program, node, core)
        if len(found) < 2:
            return found[0] if found else node
        best = min(found, key=paid)
        return best if paid(best) < _CLEAR * paid(found[0]) else found[0]

    return dataclasses.replace(program, nodes=tuple(map(special, program.nodes))).pruned()


def candidates(program: Program, node: Node, core: Core) -> list[Node]:
    """Return a node with each kernel of a class that can compute it.

    Args:
        program: of portable kernels.
        node: one of its nodes.
        core: the class.

    Returns:
        In the order of the class's rules; none where it has no kernel for it.
    """
    rules = () if node.kernel is None else RULES[core].get(node.kernel, ())
    made = (rule(program, node) for rule in rules)
    return [found for found in made if found is not None]
