"""What gives a node a kernel of a class of cores."""

from __future__ import annotations

from collections.abc import Callable

from tinyseg.engine.program import Node, Program

# Returns the node with that kernel and its parameters; None where the kernel cannot compute it.
Rule = Callable[[Program, Node], Node | None]
