"""Fit the factors of tinyseg/engine/cost.py to what small files take on emulated boards.

    python -m tests.benchmarks.costs [BOARD...]

The files have one operator each, of shapes drawn from those of real networks; no network is
among them, so that networks tell how well the model does (tests/engine/test_cost.py).
"""

from __future__ import annotations

import argparse
import collections
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
from tinyseg.engine.compiled import Compiled
from tinyseg.engine.cores import core_of

# One of each class of cores.
BOARDS = ("mps2_an500", "mps3_an547")
# Bytes of programs and inputs that go to a board at once, and of memory that a program may have.
_BATCH, _MEMORY = 700 << 10, 250 << 10
# Factors that matter less than this share of a kernel's instructions, all together, are left out.
_SMALL = 2e-4
_ROUNDS = 6

# Of a program: how often each term of each key occurs.
Counts = dict[str, dict[str, float]]


def measure(board: str, folder: Path) -> list[tuple[Counts, int]]:
    """Return of each file the counts of terms and the instructions it took."""
    # TensorFlow, which writes them, takes long to import.
    from tests.benchmarks import cost_files

    core = CoreRunner(board, folder)
    made = [core.compiled(content) for content in cost_files.contents()]
    made = [one for one in made if one.ram < _MEMORY]
    found = []
    for batch in _batches(made):
        answers = core.run([Request(one, _inputs(one)) for one in batch])
        found += [
            (counts(one), answer.instructions) for one, answer in zip(batch, answers, strict=True)
        ]
    return found


def _batches(made: Sequence[Compiled]) -> Iterator[list[Compiled]]:
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


def _inputs(made: Compiled) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.integers(-128, 128, t.shape, np.int8) for t in made.integer.inputs]


def counts(made: Compiled) -> Counts:
    """Return how often each term of each key occurs in an inference."""
    schedule = made.placement.schedule
    program, found = (
        schedule.program,
        collections.defaultdict(lambda: collections.defaultdict(float)),
    )
    for index, (node, lives) in enumerate(zip(program.nodes, schedule.lives, strict=True)):
        parts = []
        if node.constant is None:
            parts.append((cost_terms.key(node), cost_terms.terms(program, node)))
        if index in program.outputs:
            parts.append((cost_terms.OUTPUT, cost_terms.border_terms(node)))
        for key, terms in parts:
            for term, value in terms.items():
                found[key][term] += value * lives.computed
    return found


def fit(measured: Sequence[tuple[Counts, int]]) -> dict[str, dict[str, float]]:
    """Return factors, none of them negative, with the least relative errors.

    Rows of inputs and outputs are part of every file: their factors come from all of them, those
    of a kernel from the files that have it, one after the other until they agree.
    """
    factors: dict[str, dict[str, float]] = {}
    keys = sorted({key for found, _ in measured for key in found})
    for _ in range(_ROUNDS):
        for key in keys:
            rows = [(found, total) for found, total in measured if key in found]
            terms = sorted({term for found, _ in rows for term in found[key]})
            matrix = np.array([[found[key].get(t, 0.0) for t in terms] for found, _ in rows])
            rest = np.array([total - _others(found, key, factors) for found, total in rows])
            totals = np.array([total for _, total in rows], float)
            factors[key] = _least(matrix, rest, totals, terms)
    return factors


def _others(found: Counts, key: str, factors: Mapping[str, Mapping[str, float]]) -> float:
    return sum(
        factors.get(other, {}).get(term, 0.0) * value
        for other, terms in found.items()
        if other != key
        for term, value in terms.items()
    )


def _least(
    matrix: np.ndarray, rest: np.ndarray, totals: np.ndarray, terms: Sequence[str]
) -> dict[str, float]:
    scaled = matrix / totals[:, None]
    sizes = np.abs(scaled).max(axis=0) + 1e-30
    solved, _ = nnls(scaled / sizes, rest / totals, maxiter=1000)
    kept = (solved * (scaled / sizes).mean(axis=0)) > _SMALL
    if not kept.all() and kept.any():
        again, _ = nnls((scaled / sizes)[:, kept], rest / totals, maxiter=1000)
        solved = np.zeros_like(solved)
        solved[kept] = again
    return {
        term: float(f"{value / size:.5g}")
        for term, value, size in zip(terms, solved, sizes, strict=True)
        if value > 0
    }


def errors(
    measured: Sequence[tuple[Counts, int]], factors: Mapping[str, Mapping[str, float]]
) -> dict[str, float]:
    """Return the largest relative error of each key's files."""
    worst: dict[str, float] = {}
    for found, total in measured:
        error = _others(found, "", factors) / total - 1
        for key in found.keys() - {cost_terms.INPUT, cost_terms.OUTPUT}:
            worst[key] = max(worst.get(key, 0.0), error, key=abs)
    return worst


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
        print(f"{board}: {len(measured)} files")
        for key, error in sorted(errors(measured, factors).items()):
            print(f"  {key}: {error:+.1%} at worst, {len(factors[key])} terms")
        files.write_json(cost.FILE, stored)


if __name__ == "__main__":
    main()
