"""From a ``.tflite`` file to a program that computes row by row, with the same bytes."""

from __future__ import annotations

import functools

from tinyseg.engine.builder import Builder, refuse
from tinyseg.engine.program import Program
from tinyseg.engine.rules import CUSTOM_RULES, INDICES, RULES
from tinyseg.tflite.graph import Graph
from tinyseg.tflite.lint import usable
from tinyseg.tflite.lowering import PASSES
from tinyseg.tflite.model import TfliteModel
from tinyseg.tflite.nodes import Operator
from tinyseg.tflite.packing import is_packed, unpacked
from tinyseg.tflite.raising import raise_graph

# What makes a graph of int8 rows of files that hold shapes, or floats at the border.
_PASSES = ("fixed_batch", "integer_border")


def compile_model(model: TfliteModel) -> Program:
    """Compile an int8 file with a batch of 1.

    Raises:
        InputError: the file is damaged, or holds what the engine cannot run; the message names
            operator and layer.
    """
    usable(model)
    # Whoever packed them wants them small in flash, and pays for it with time.
    builder = Builder(integer(model), packs=is_packed(model))
    for operator in builder.model.operators:
        _add(builder, operator)
    return builder.program()


def integer(model: TfliteModel) -> TfliteModel:
    """Return the file that is compiled.

    Its weights are unpacked, its shapes fixed, its border integers, and what was lowered or cut
    into strips for TFLM alone is as it was.
    """
    model = unpacked(model)
    return _changed(model.content, model.path) or model


# Whoever compiles a file asks more than once, those who fit it to boards once for each of them.
@functools.lru_cache(maxsize=2)
def _changed(content: bytes, path: str) -> TfliteModel | None:
    """Return a file as it is compiled; None if that is the file itself."""
    graph = Graph(content, path)
    changed = [change for name in _PASSES for change in PASSES[name](graph)]
    changed += raise_graph(graph)
    return TfliteModel.parse(graph.to_bytes(), path) if changed else None


def _add(builder: Builder, operator: Operator) -> None:
    rule = (CUSTOM_RULES if operator.custom else RULES).get(operator.opcode)
    if rule is None:
        raise refuse(builder.model, operator, "the engine has no such operator")
    for tensor in (*operator.inputs, *operator.outputs):
        if tensor is None or tensor.constant:
            continue
        if tensor.dtype != "int8" and operator.opcode not in INDICES:
            raise refuse(builder.model, operator, f"it computes with {tensor.dtype}")
    try:
        rule(builder, operator)
    # A rule reads options, scales and shapes that its kernel needs; what lacks them is refused.
    except (AttributeError, IndexError, ValueError) as error:
        raise refuse(builder.model, operator, str(error) or "it lacks a tensor or option") from None
