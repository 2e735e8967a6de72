"""Programs made by hand, a runtime that only counts, and random programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from hypothesis import strategies as st

from tinyseg.engine.program import Data, Kernel, Link, Need, Node, Program, whole

WINDOW, HALF, TWICE = Need(1, -1, 1, 1), Need(2, 0, 1, 1), Need(1, 0, 0, 2)


def image(rows: int, width: int) -> Node:
    return Node(None, (), rows, width, 1, name="image")


def node(links: list[tuple[int, Need]], rows: int, width: int, **more) -> Node:
    more = {"macs": 1, **more}
    return Node(Kernel.CONVOLUTION, tuple(Link(*link) for link in links), rows, width, 1, **more)


def chain(*needs: Need, rows: int = 16, width: int = 32) -> Program:
    """An input and nodes of as many rows after one another."""
    nodes = [image(rows, width), *(node([(i, n)], rows, width) for i, n in enumerate(needs))]
    return Program(tuple(nodes), 1, (len(needs),))


def u_net(depth: int = 2, rows: int = 32, width: int = 64, weights: int = 0) -> Program:
    """A U-Net whose rows have equal bytes on every level but for the image's."""
    nodes, skips, last = [image(rows, width // 4)], [], 0

    def add(links: list[tuple[int, Need]], height: int, macs: int, name: str) -> int:
        params = (Data(name.encode() + bytes(weights)),) if weights else ()
        nodes.append(node(links, height, width, macs=macs, name=name, params=params))
        return len(nodes) - 1

    height = rows
    for level in range(depth):
        first = add([(last, WINDOW)], height, 10, f"down{level}")
        skips.append((add([(first, WINDOW)], height, 20, f"skip{level}"), height))
        height //= 2
        last = add([(skips[-1][0], HALF)], height, 0, f"pool{level}")
    last = add([(add([(last, WINDOW)], height, 20, "deep"), WINDOW)], height, 20, "bottom")
    for level, (skip, tall) in reversed(list(enumerate(skips))):
        up = add([(last, TWICE)], tall, 10, f"up{level}")
        joined = add([(up, WINDOW), (skip, WINDOW)], tall, 40, f"join{level}")
        last = add([(joined, WINDOW)], tall, 20, f"out{level}")
    return Program(tuple(nodes), 1, (last,))


def steps(program: Program) -> Iterator[tuple[int, int, set[tuple[int, int]]]]:
    """Node, row, and the rows that it reads, in the order in which the runtime computes them."""
    nodes = program.nodes
    done = [n.rows if n.constant is not None else 0 for n in nodes]

    def compute(index: int) -> Iterator[tuple[int, int, set[tuple[int, int]]]]:
        row, reads = done[index], set()
        for source, need in nodes[index].links:
            wanted = need.rows(row, nodes[source].rows)
            while done[source] < wanted.last:
                yield from compute(source)
            if nodes[source].constant is None:
                reads |= {(source, r) for r in range(*wanted)}
        done[index] += 1
        yield index, row, reads

    for output in program.outputs:
        while done[output] < nodes[output].rows:
            yield from compute(output)


_STREAMS = [Need(), WINDOW, HALF, TWICE, Need(1, -2, 2, 1), Need(2, -1, 1, 1), Need(3, 0, 0, 1)]
# A transposed convolution with gaps, rows of padding, a whole map.
_OTHERS = [Need(1, -1, 1, 2), Need(1, 0, 0, 3), Need(1, 1, 0, 2), Need(1, -3, -3, 1), whole(9)]
NEEDS = st.sampled_from(_STREAMS + _OTHERS)


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Programs with inputs that nobody reads, constants, several outputs, skips, gaps."""
    inputs = draw(st.integers(1, 2))
    nodes = [image(draw(st.integers(1, 12)), draw(st.integers(1, 40))) for _ in range(inputs)]
    if draw(st.booleans()):
        constant = image(3, 5)
        nodes.append(dataclasses.replace(constant, constant=bytes(15)))
    for _ in range(draw(st.integers(1, 9))):
        sources = st.integers(max(len(nodes) - 4, 0), len(nodes) - 1)
        links = draw(st.lists(st.tuples(sources, NEEDS), min_size=1, max_size=3))
        rows, width = draw(st.integers(1, 12)), draw(st.integers(1, 40))
        scratch = draw(st.integers(0, 30))
        name = f"n{len(nodes)}"
        nodes.append(node(links, rows, width, macs=len(nodes), scratch=scratch, name=name))
    computed = [i for i, n in enumerate(nodes) if n.kernel is not None]
    outputs = draw(st.sets(st.sampled_from(computed), max_size=2)) | {len(nodes) - 1}
    return Program(tuple(nodes), inputs, tuple(sorted(outputs, reverse=draw(st.booleans()))))
