"""The memory that our own engine plans for a file, and what more work would save."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tinyseg import presets
from tinyseg.boards import emulator
from tinyseg.boards.board import load_board
from tinyseg.boards.firmware import OWN, booted, compile_for
from tinyseg.engine.compiled import Compiled, compiled, costs_on
from tinyseg.engine.compiler import compile_model
from tinyseg.engine.cores import Core
from tinyseg.engine.memory_report import memory_report
from tinyseg.engine.placement import place
from tinyseg.engine.recompute import Variant, front
from tinyseg.engine.selection import specialize
from tinyseg.errors import InputError
from tinyseg.progress import counter
from tinyseg.runtime.engine import HostProgram
from tinyseg.runtime.meaning import Head, Meaning
from tinyseg.runtime.runner import network_outputs, random_inputs
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.lint import deployable
from tinyseg.tflite.nodes import layer_of

# Classes of cores by the names of TFLM's builds.
_CORES = {"host": Core.PORTABLE, "cortex_m": Core.DSP, "cortex_m55": Core.MVE}
_UNLIMITED = "any memory"


@dataclasses.dataclass(frozen=True)
class Rows:
    """The rows of a file in memory.

    Attributes:
        facts: see :func:`facts`.
        tables: see :func:`tinyseg.reporting.rows_chart.tables`.
        files: page and picture written.
    """

    facts: dict[str, Any]
    tables: list[dict[str, Any]]
    files: list[Path]


def engine_memory(
    model: TfliteModel,
    *,
    target: str = "host",
    board: str | None = None,
    max_work: float = 1.0,
    with_front: bool = False,
    measure: bool = False,
    folder: Path | None = None,
) -> Rows:
    """Plan the memory of a file on our own engine, and draw which row lives when and where.

    Args:
        model: parsed file.
        target: class of cores, see :func:`tinyseg.tflite.arena.memory.predict_arena`.
        board: plan for the memories of this one instead.
        max_work: see :func:`tinyseg.engine.compiled.compiled`.
        with_front: plan too what less memory takes more work (slow).
        measure: measure it too, on this machine or on an emulated board.
        folder: where page and picture go; None for ``build/memory``.

    Raises:
        InputError: no such board, or a file that is damaged, that the engine cannot run, or that
            does not fit.
    """
    if measure and board is None and target != "host":
        raise InputError(f"--measure for {target} needs an emulated board: add --board")
    deployable(model)
    if board is None:
        made = compiled(model, None, max_work, _CORES[target])
        memories: list[tuple[str, int | None]] = [(_UNLIMITED, None)]
    else:
        made, left = compile_for(model, load_board(board), max_work)
        memories = [(piece.memory, piece.bytes) for piece in left]
    values = facts(made, memories)
    values.update(board=board, front=None, measured=None)
    if with_front:
        sizes = None if board is None else [size or 0 for _, size in memories]
        values["front"] = _front(model, made.core, sizes)
    if measure:
        values["measured"] = _measure(model, made, board, max_work)
    # Drawing takes a while to import; what cannot be planned needs none.
    from tinyseg.reporting import rows_chart

    tables = rows_chart.tables(values)
    return Rows(values, tables, rows_chart.write(values, folder or presets.BUILD / "memory"))


def facts(made: Compiled, memories: Sequence[tuple[str, int | None]]) -> dict[str, Any]:
    """Return a placed program as plain values for JSON and reports; sizes are in bytes.

    Args:
        made: a compiled file.
        memories: of each region its name, and how large it is; None for one without an end.

    Returns:
        ``file``, ``engine``, ``core`` (whose kernels), ``ram_bytes`` (all but the stack),
        ``live_bytes`` (most rows at once), ``state_bytes``, ``scratch_bytes``, ``table_bytes`` and
        ``program_bytes`` (both in flash), ``macs``, ``work`` (see :class:`Compiled`),
        ``regions`` with ``memory``,
        ``used_bytes`` and ``available_bytes``, ``peak`` with ``step``, ``kernel``, ``layer`` and
        the ``tensors`` alive then, ``live`` (bytes of rows at each step), and ``nodes`` with
        ``rows``: of each its number, first and last step, region and place in it.
    """
    report = memory_report(made.placement)
    operators = made.integer.operators
    nodes = [
        {
            "node": node.node,
            "name": node.name,
            "layer": layer_of(node.name),
            "opcode": "INPUT" if node.kernel == "INPUT" else operators[node.op].opcode,
            "kernel": node.kernel,
            "copy": node.copy,
            "row_bytes": node.row_bytes,
            "rows_alive": node.alive,
            "period": node.period,
            "rows": [[r.row, r.birth, r.death, r.region, r.offset] for r in node.rows],
        }
        for node in report.nodes
    ]
    regions = [
        {"memory": name, "used_bytes": used, "available_bytes": size}
        for used, (name, size) in zip(report.regions, memories, strict=True)
    ]
    return {
        "file": made.model.path,
        "engine": OWN,
        "core": made.core.value,
        "ram_bytes": report.ram,
        "live_bytes": report.peak,
        "state_bytes": report.state,
        "scratch_bytes": report.scratch,
        "table_bytes": report.tables,
        "program_bytes": len(made.content),
        "macs": report.macs,
        "work": made.work,
        "regions": regions,
        "peak": _peak(report.fullest, nodes),
        "live": list(report.live),
        "nodes": nodes,
    }


def _peak(step: int, nodes: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what is computed when memory is fullest, and which rows are there."""
    tensors = []
    computed = nodes[0]
    for node in nodes:
        rows = [row for row in node["rows"] if row[1] <= step <= row[2]]
        if any(row[1] == step for row in rows):
            computed = node
        if rows:
            kept = {key: node[key] for key in ("name", "layer", "copy", "row_bytes")}
            size = len(rows) * node["row_bytes"]
            tensors.append({**kept, "rows": len(rows), "size_bytes": size})
    tensors.sort(key=lambda tensor: -tensor["size_bytes"])
    return {
        "step": step,
        **{key: computed[key] for key in ("opcode", "kernel", "layer")},
        "tensors": tensors,
    }


def _front(model: TfliteModel, core: Core, sizes: list[int] | None) -> list[dict[str, Any]]:
    """Return how little memory programs with more and more work take."""
    program = specialize(compile_model(model), core)
    variants = front(program, costs=costs_on(program, core))
    first, rows = len(program.nodes), []
    with counter("planning less memory for more work", len(variants)) as progress:
        for variant in variants:
            rows.append(
                {
                    "work": variant.work,
                    "macs": variant.schedule.macs,
                    "live_bytes": variant.schedule.peak,
                    "ram_bytes": variant.ram,
                    "copied_nodes": len(variant.program.nodes) - first,
                    "fits": None if sizes is None else _fits(variant, sizes),
                }
            )
            progress()
    return rows


def _fits(variant: Variant, sizes: list[int]) -> bool:
    if variant.least > sum(sizes):
        return False
    try:
        return place(variant.schedule, sizes).ram > 0
    except InputError:
        return False


def _measure(
    model: TfliteModel, made: Compiled, board: str | None, max_work: float
) -> dict[str, Any]:
    """Return what is used; this machine does not tell of the stack."""
    if board is None:
        sizes = [(tensor.shape, tensor.dtype) for tensor in made.integer.inputs]
        used = HostProgram(made).used([np.zeros(*size) for size in sizes])
        return {"by": "the engine on this machine", "ram_bytes": sum(used), "stack_bytes": None}
    machine = emulator.emulated(load_board(board)).name
    with booted(model, None, machine, OWN, Meaning(Head.NONE), max_work) as runner:
        network_outputs(runner, random_inputs(runner.input, 1))
        info = runner.refresh()
    return {"by": machine, "ram_bytes": info.arena_used, "stack_bytes": info.stack_used}
