"""Profile a file: with Silicon Labs MLTK, or by the cost model of our own engine."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tinyseg import presets
from tinyseg.boards.board import load_board
from tinyseg.engine import cost
from tinyseg.engine import cycles as engine_cycles
from tinyseg.engine.compiled import Compiled, compiled
from tinyseg.engine.compiler import compile_model, integer
from tinyseg.engine.cores import core_of
from tinyseg.engine.cost import Counted
from tinyseg.engine.cycles import Wait
from tinyseg.engine.schedule import simulate
from tinyseg.engine.selection import specialize
from tinyseg.errors import InputError
from tinyseg.profiling import mltk
from tinyseg.profiling.counted import profile_by_count
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.lint import deployable
from tinyseg.tflite.ops.registry import cost as cost_of

log = logging.getLogger(__name__)


def profile(
    model: TfliteModel, accelerator: str | None = None, folder: Path | None = None
) -> tuple[dict[str, Any], list[Path]]:
    """Profile a file; write MLTK's text report, JSON and CSV.

    What MLTK does not run but TensorFlow Lite Micro does is counted by tinyseg alone.

    Args:
        model: parsed file.
        accelerator: ``MVP`` for Silicon Labs' matrix processor.
        folder: where the files go; None for ``build/profile``.

    Returns:
        MLTK's figures, see :func:`tinyseg.profiling.mltk.profile`, and the files written.

    Raises:
        InputError: the file is damaged or TFLM does not run it, or MLTK is missing.
    """
    deployable(model)
    try:
        record, text = mltk.profile(model, accelerator)
    except mltk.RefusedError as error:
        log.warning("warning: %s; tinyseg counts its work and memory alone", error)
        record, text = profile_by_count(model, str(error))
    add_cycles(record, model)
    name = Path(model.path).stem
    return record, mltk.write(record, text, folder or presets.BUILD / "profile", name)


def add_cycles(record: dict[str, Any], model: TfliteModel) -> None:
    """Add to MLTK's layers the cycles of our own engine on the core that MLTK estimates.

    Each layer gets ``engine_cycles``: an estimate, see :mod:`tinyseg.engine.cycles`; None where the
    engine has no such operator, or lacks timings. The record gets their sum, or None.

    Args:
        record: as :func:`tinyseg.profiling.mltk.profile` returns it.
        model: the file.
    """
    found: dict[tuple[str, str], list[int | None]] = {}
    for name, taken in _cycles(model, cost.PROCESSORS["m33"]):
        found.setdefault(name, []).append(taken)
    for layer in record["layers"]:
        waiting = found.get((layer["opcode"].upper(), layer["layer"]))
        layer["engine_cycles"] = waiting.pop(0) if waiting else None
    known = [layer["engine_cycles"] for layer in record["layers"]]
    record["engine_cycles"] = sum(its or 0 for its in known) or None


def _cycles(model: TfliteModel, processor: str) -> list[tuple[tuple[str, str], int | None]]:
    """Return of each operator its name and layer, and its cycles on our own engine."""
    core = core_of(processor)
    try:
        schedule = simulate(specialize(compile_model(model), core))
    except InputError:
        return []  # The engine does not run every file.
    by_node = engine_cycles.estimate(schedule, processor) or []
    operators = integer(model).operators
    taken: list[float | None] = [0.0] * len(operators)
    for node, its in zip(schedule.program.nodes, by_node, strict=False):
        before = taken[node.op]
        if node.kernel is not None:
            taken[node.op] = None if its is None or before is None else before + its
    return [
        ((operator.opcode, operator.outputs[0].layer), None if its is None else round(its))
        for operator, its in zip(operators, taken, strict=True)
    ]


@dataclasses.dataclass(frozen=True)
class Target:
    """Where our own engine is to run.

    Attributes:
        processor: such as ``cortex-m7``.
        wait: what it waits for flash.
        clock_hz: of the processor; None if it is not known.
    """

    processor: str
    wait: Wait | None = None
    clock_hz: int | None = None

    @classmethod
    def of(cls, core: str | None, board: str | None) -> Target:
        """Return a core of :data:`tinyseg.engine.cost.PROCESSORS`, or a board's.

        Raises:
            InputError: no such board, or another core than the board's.
        """
        if board is None:
            return cls(cost.PROCESSORS[core or "m7"])
        found = load_board(board)
        if core and cost.PROCESSORS[core] != found.core:
            raise InputError(f"{board} has a {found.core}; leave --core out")
        flash = found.region("MODEL")
        return cls(found.core, Wait(flash.line, flash.wait_cycles), found.clock_hz)


def profile_engine(model: TfliteModel, target: Target, max_work: float = 1.0) -> dict[str, Any]:
    """Estimate what a file takes on our own engine, without an emulator.

    Args:
        model: parsed file.
        target: where it runs.
        max_work: see :func:`tinyseg.engine.compiled.compiled`.

    Returns:
        ``instructions`` of an inference in all, ``border_instructions`` of them for rows of inputs
        and outputs, ``cycles`` (an estimate; None where no timings are known), ``milliseconds`` of
        them at ``clock_hz``, ``ram_bytes`` (all but the stack), ``program_bytes`` in flash,
        ``macs``, and ``operators`` with ``index``, ``opcode``, ``layer``, ``macs``, ``kernels``,
        ``instructions``, ``cycles`` and ``unknown``: whether a kernel of it was never measured, so
        that instructions are missing.

    Raises:
        InputError: the file is damaged, or the engine cannot run it.
    """
    deployable(model)
    core = core_of(target.processor)
    made = compiled(model, None, max_work, core)
    schedule = made.placement.schedule
    counted = cost.estimate(schedule, core)
    its = engine_cycles.estimate(schedule, target.processor, target.wait)
    cycles: Sequence[float | None] = its or [None] * len(counted)
    operators = _operators(made, counted, cycles)
    border = sum(
        found.instructions or 0.0
        for node, found in zip(made.program.nodes, counted, strict=True)
        if node.kernel is None
    )
    total = round(sum(taken or 0.0 for taken in cycles)) if its else None
    clock = target.clock_hz
    return {
        "file": model.path,
        "processor": target.processor,
        "instructions": round(sum(found.instructions or 0.0 for found in counted)),
        "border_instructions": round(border),
        "cycles": total,
        "clock_hz": clock,
        "milliseconds": 1e3 * total / clock if total and clock else None,
        "ram_bytes": made.ram,
        "program_bytes": len(made.content),
        "file_bytes": len(model.content),
        "macs": made.macs,
        "operators": operators,
    }


def _operators(
    made: Compiled, counted: Sequence[Counted], cycles: Sequence[float | None]
) -> list[dict[str, Any]]:
    """Return what each operator takes, as :func:`profile_engine` does."""
    operators: list[dict[str, Any]] = [
        {
            "index": index,
            "opcode": operator.opcode,
            "layer": operator.outputs[0].layer,
            "macs": cost_of(operator).macs,
            "kernels": [],
            "instructions": 0,
            "cycles": None,
            "unknown": False,
        }
        for index, operator in enumerate(made.integer.operators)
    ]
    for node, found, taken in zip(made.program.nodes, counted, cycles, strict=True):
        if node.kernel is None:
            continue
        operator = operators[node.op]
        if node.kernel.name.lower() not in operator["kernels"]:
            operator["kernels"].append(node.kernel.name.lower())
        operator["unknown"] = operator["unknown"] or found.instructions is None
        operator["instructions"] += round(found.instructions or 0.0)
        if taken is not None:
            operator["cycles"] = (operator["cycles"] or 0) + round(taken)
    return operators
