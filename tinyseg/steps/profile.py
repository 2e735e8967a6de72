"""Profile a file: with Silicon Labs MLTK, or by the cost model of our own engine."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tinyseg import presets
from tinyseg.boards.board import load_board
from tinyseg.engine import cost
from tinyseg.engine import cycles as engine_cycles
from tinyseg.engine.compiled import Compiled, compiled
from tinyseg.engine.cores import core_of
from tinyseg.engine.cycles import Wait
from tinyseg.errors import InputError
from tinyseg.profiling import mltk
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.lint import deployable
from tinyseg.tflite.ops.registry import cost as cost_of


def profile(
    model: TfliteModel, accelerator: str | None = None, folder: Path | None = None
) -> tuple[dict[str, Any], list[Path]]:
    """Profile a file; write MLTK's text report, JSON and CSV.

    Args:
        model: parsed file.
        accelerator: ``MVP`` for Silicon Labs' matrix processor.
        folder: where the files go; None for ``build/profile``.

    Returns:
        MLTK's figures, see :func:`tinyseg.profiling.mltk.profile`, and the files written.

    Raises:
        InputError: the file is damaged or TFLM does not run it, or MLTK is missing or refuses it.
    """
    deployable(model)
    record, text = mltk.profile(model, accelerator)
    name = Path(model.path).stem
    return record, mltk.write(record, text, folder or presets.BUILD / "profile", name)


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
    cycles = engine_cycles.estimate(schedule, target.processor, target.wait)
    its_cycles: Sequence[float | None] = cycles or [None] * len(counted)
    operators, border = _by_operator(made, counted, its_cycles)
    total = round(sum(taken or 0.0 for taken in its_cycles)) if cycles else None
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


def _by_operator(
    made: Compiled, counted: Sequence[cost.Counted], cycles: Sequence[float | None]
) -> tuple[list[dict[str, Any]], float]:
    """Return what each operator of a file takes, and the instructions of its inputs and outputs."""
    timed = any(taken is not None for taken in cycles)
    operators: list[dict[str, Any]] = [
        {
            "index": index,
            "opcode": operator.opcode,
            "layer": operator.outputs[0].layer,
            "macs": cost_of(operator).macs,
            "kernels": [],
            "instructions": 0,
            "cycles": 0 if timed else None,
            "unknown": False,
        }
        for index, operator in enumerate(made.integer.operators)
    ]
    border = 0.0
    for node, found, taken in zip(made.program.nodes, counted, cycles, strict=True):
        if node.kernel is None:
            border += found.instructions or 0.0
            continue
        operator = operators[node.op]
        if node.kernel.name.lower() not in operator["kernels"]:
            operator["kernels"].append(node.kernel.name.lower())
        if found.instructions is None:
            operator["unknown"] = True
        else:
            operator["instructions"] += round(found.instructions)
        if taken is not None:
            operator["cycles"] += round(taken)
    return operators, border
