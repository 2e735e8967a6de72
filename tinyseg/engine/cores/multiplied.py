"""Depthwise convolutions of few channels, each to several: as ordinary convolutions."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np

from tinyseg.engine.cores.rule import Rule
from tinyseg.engine.program import Data, Kernel, Node, Program

# Of the input. Weights of products that a depthwise convolution lacks are zeros.
_MOST_DEPTH = 4


def as_convolution(rules: Iterable[Rule]) -> list[Rule]:
    """Return rules of convolutions as rules of depthwise ones of few channels."""

    def of(rule: Rule) -> Rule:
        def apply(program: Program, node: Node) -> Node | None:
            ordinary = _ordinary(node)
            return ordinary and rule(program, ordinary)

        return apply

    return [of(rule) for rule in rules]


def _ordinary(node: Node) -> Node | None:
    """Return a DEPTHWISE node as a CONVOLUTION; None where its weights would be many times more.

    Args:
        node: with portable parameters.
    """
    *numbers, weights, channels = node.params
    multiplier = numbers[-1]
    assert isinstance(weights, Data)
    assert isinstance(multiplier, int)
    depth = node.channels // multiplier
    if multiplier == 1 or depth > _MOST_DEPTH:
        return None
    kernel = np.frombuffer(weights.content, np.int8).reshape(-1, node.channels).T
    whole = np.zeros((*kernel.shape, depth), np.int8)
    outputs = np.arange(node.channels)
    whole[outputs, :, outputs // multiplier] = kernel
    params = (*numbers[:-1], Data(whole.tobytes()), channels)
    return dataclasses.replace(node, kernel=Kernel.CONVOLUTION, params=params)
