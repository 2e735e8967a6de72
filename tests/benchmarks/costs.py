"""Fit the factors of tinyseg/engine/cost.py to what small files take on emulated boards.

    python -m tests.benchmarks.costs [BOARD...]

The files have one operator each, of shapes drawn from those of real networks; no network is
among them, so that networks tell how well the model does (tests/engine/test_cost.py).
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import nnls

from tests.engine.on_core import CoreRunner, Request
from tinyseg import files
from tinyseg.boards import board as boards
from tinyseg.engine import cost, cost_terms
from tinyseg.engine.compiled import Compiled, compiled
from tinyseg.engine.cores import Core, core_of
from tinyseg.engine.schedule import Schedule
from tinyseg.tflite import TfliteModel

# One of each class of cores.
BOARDS = ("mps2_an500", "mps3_an547")
# Bytes of programs and inputs that go to a board at once, and of memory that a program may have.
_BATCH, MEMORY = 700 << 10, 250 << 10
# Of so many files one runs on portable kernels, too: networks still have some of them, of which
# the other files tell too little.
_PORTABLE = 3
# And one on kernels for the DSP extension, where there are others for vectors: the compiler is to
# choose between them.
_DSP = 2
# Terms that are less than this share of an operator, where they matter most, are left out.
_SMALL = 1e-4

# How often each term of each loop occurs.
Counts = dict[str, dict[str, float]]
# Of operators, and of what remains of an inference: what they run, and the instructions they took.
Measured = list[tuple[Counts, float]]


def measure(board: str, folder: Path) -> Measured:
    """Return what the operators of all files took."""
    # TensorFlow, which writes them, takes long to import.
    from tests.benchmarks import cost_files

    core = CoreRunner(board, folder)
    contents = list(cost_files.contents())
    models = [TfliteModel.parse(content) for content in contents]
    made = [compiled(model, core=core.core, price=_first) for model in models]
    made += [compiled(model) for model in models[::_PORTABLE]]
    if core.core is Core.MVE:
        made += [compiled(model, core=Core.DSP, price=_first) for model in models[::_DSP]]
    made = [one for one in made if one.ram < MEMORY]
    found = []
    for batch in batches(made):
        answers = core.run([Request(one, inputs(one)) for one in batch])
        for one, answer in zip(batch, answers, strict=True):
            schedule = one.placement.schedule
            found += equations(schedule, answer.instructions, answer.by_operator)
    return found


def _first(*_: object) -> float:
    """Let the first kernel that can compute a node be taken: prices are what is looked for."""
    return 0.0


def batches(made: Sequence[Compiled]) -> Iterator[list[Compiled]]:
    batch: list[Compiled] = []
    size = 0
    for one in made:
        more = len(one.content) + 64 + sum(tensor.elements for tensor in one.integer.inputs)
        if batch and size + more > _BATCH:
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += more
    yield batch


def inputs(made: Compiled) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.integers(-128, 128, t.shape, np.int8) for t in made.integer.inputs]


def equations(schedule: Schedule, total: int, by_operator: Sequence[int]) -> Measured:
    """Return what each operator of an inference ran, and the interpreter beside them.

    Args:
        schedule: of the program.
        total: instructions that it took.
        by_operator: of them, those of kernels, by number of the operator.
    """
    operators: dict[int, Counts] = {}
    rest: Counts = {}
    for index, (node, lives) in enumerate(zip(schedule.program.nodes, schedule.lives, strict=True)):
        if node.constant is not None:
            continue
        for name, terms in cost.loops(schedule.program, index).items():
            is_kernel = name not in (cost_terms.INPUT, cost_terms.OUTPUT, cost_terms.STEP)
            into = operators.setdefault(node.op, {}) if is_kernel else rest
            sums = into.setdefault(name, {})
            for term, value in terms.items():
                sums[term] = sums.get(term, 0.0) + value * lives.computed
    found = [(counts, float(by_operator[op])) for op, counts in operators.items()]
    return [*found, (rest, float(total - sum(by_operator)))]


def fit(measured: Measured) -> dict[str, dict[str, float]]:
    """Return factors, none of them negative, with the least relative errors."""
    columns = sorted(
        {(name, term) for counts, _ in measured for name in counts for term in counts[name]}
    )
    matrix = np.array(
        [[counts.get(n, {}).get(t, 0.0) for n, t in columns] for counts, _ in measured]
    )
    totals = np.array([max(total, 1.0) for _, total in measured])
    scaled = matrix / totals[:, None]
    sizes = np.abs(scaled).max(axis=0) + 1e-30
    solved, _ = nnls(scaled / sizes, np.ones(len(totals)), maxiter=100 * len(columns))
    factors: dict[str, dict[str, float]] = {}
    for (name, term), value, size in zip(columns, solved, sizes, strict=True):
        own = factors.setdefault(name, {})
        if value > _SMALL:
            own[term] = float(f"{value / size:.5g}")
    return factors


def errors(
    measured: Measured, factors: Mapping[str, Mapping[str, float]]
) -> dict[str, list[float]]:
    """Return the relative errors of all operators by their loops."""
    found: dict[str, list[float]] = {}
    for counts, total in measured:
        error = (cost.dot(factors, counts) or 0.0) / max(total, 1.0) - 1
        for name in counts:
            found.setdefault(name, []).append(error)
    return found


def main() -> None:
    """Fit boards, and store the factors by class of cores."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("boards", nargs="*", default=BOARDS)
    stored: dict[str, Any] = files.read_json(cost.FILE) if cost.FILE.is_file() else {}
    for board in parser.parse_args().boards:
        with tempfile.TemporaryDirectory() as folder:
            measured = measure(board, Path(folder))
        factors = fit(measured)
        stored[core_of(boards.load_board(board).core).value] = factors
        print(f"{board}: {len(measured)} operators")
        for name, found in sorted(errors(measured, factors).items()):
            spread = np.sqrt(np.mean(np.square(found)))
            line = f"{len(found)} operators, {spread:.1%} off, {max(found, key=abs):+.1%} at worst"
            print(f"  {name}: {line}, {len(factors[name])} terms")
        files.write_json(cost.FILE, stored)


if __name__ == "__main__":
    main()
