"""Fit cycles for an instruction of each loop of the engine's kernels.

    python -m tests.benchmarks.cycles [PROCESSOR...]

The files of cost_files.py run on emulated boards, whose plugin counts how often each block of
instructions ran; block_cycles.py tells what a block takes. From what all blocks of an inference
take come the cycles an instruction of the loops that it ran.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from unittest import mock

import numpy as np

from tests.benchmarks import block_cycles, costs
from tests.engine.on_core import CoreRunner, Request
from tinyseg import files
from tinyseg.boards import emulator
from tinyseg.engine import cost, cycles
from tinyseg.engine.cores import core_of
from tinyseg.engine.schedule import Schedule

# The emulated board on which a processor's code is counted; a Cortex-M4 runs that of an M7.
BOARDS = {"cortex-m4": "mps2_an500", "cortex-m7": "mps2_an500", "cortex-m55": "mps3_an547"}
_PLUGIN = Path(__file__).with_name("block_counts.c")
# Of the files, and of blocks by their instructions.
_EACH, _MOST_BLOCKS = 4, 600
# How strongly loops that few files have are drawn to the average.
_DRAWN = 0.02
_BEGIN, _END = "_ZN7tinyseg5board10ResetTicksEv", "_ZN7tinyseg5board9WriteByteEh"

# Instructions by loop, and cycles, of an inference.
Ran = tuple[dict[str, float], float]


@contextlib.contextmanager
def counted(elf: Path, folder: Path) -> Iterator[list[Path]]:
    """Have every emulator count blocks; the files that it writes are in the list.

    Args:
        elf: the firmware.
        folder: for the plugin and the counts.
    """
    plugin, written = folder / "block_counts.so", list[Path]()
    compiler = ["gcc", "-O2", "-shared", "-fPIC", "-o", str(plugin), str(_PLUGIN)]
    subprocess.run(compiler, check=True)
    listed = subprocess.run(
        ["arm-none-eabi-nm", str(elf)], capture_output=True, text=True, check=True
    ).stdout
    places = {words[2]: words[0] for words in map(str.split, listed.splitlines()) if words[2:]}
    original = emulator.command

    def command(*arguments: object) -> list[str]:
        written.append(folder / f"counts{len(written)}.txt")
        options = f"{plugin},begin={places[_BEGIN]},end={places[_END]},out={written[-1]}"
        return [*original(*arguments), "-plugin", options]  # type: ignore[arg-type]

    with mock.patch.object(emulator, "command", command):
        yield written


def measure(processor: str, folder: Path) -> list[Ran]:
    """Return what files run on a processor: instructions of each loop, and cycles in all."""
    from tests.benchmarks import cost_files

    core = CoreRunner(BOARDS[processor], folder)
    made = [core.compiled(content) for content in list(cost_files.contents())[::_EACH]]
    batches = list(costs.batches([one for one in made if one.ram < costs.MEMORY]))
    with counted(core.elf, folder) as written:
        for batch in batches:
            core.run([Request(one, costs.inputs(one)) for one in batch])
    ran = [blocks for path in written for blocks in block_cycles.inferences(path)]
    taken = times(core.elf, ran, processor)
    schedules = [one.placement.schedule for batch in batches for one in batch]
    return [
        (instructions(schedule, processor), took)
        for schedule, took in zip(schedules, taken, strict=True)
    ]


def times(
    elf: Path, ran: Sequence[Mapping[block_cycles.Block, int]], processor: str
) -> list[float]:
    """Return the cycles of inferences by the blocks that they ran."""
    work: dict[block_cycles.Block, int] = {}
    for blocks in ran:
        for block, count in blocks.items():
            work[block] = work.get(block, 0) + count * block[1]
    wanted = sorted(work, key=lambda block: -work[block])[:_MOST_BLOCKS]
    known = block_cycles.cycles(block_cycles.Code.of(elf).blocks(wanted), processor)
    total, least = sum(known.values()), sum(block[1] for block in known)
    rest = total / least
    return [
        sum(count * known.get(block, rest * block[1]) for block, count in blocks.items())
        for blocks in ran
    ]


def instructions(schedule: Schedule, processor: str) -> dict[str, float]:
    """Return the instructions of each loop in an inference, by the cost model."""
    found: dict[str, float] = {}
    factors = cost.stored()[core_of(processor).value]
    for index, lives in enumerate(schedule.lives):
        for name, terms in cost.loops(schedule.program, index).items():
            took = (cost.dot(factors, {name: terms}) or 0.0) * lives.computed
            found[name] = found.get(name, 0.0) + took
    return found


def fit(ran: Sequence[Ran]) -> dict[str, float]:
    """Return the cycles an instruction of each loop, and under ``""`` those of all together."""
    names = sorted({name for loops, _ in ran for name in loops})
    matrix = np.array([[loops.get(name, 0.0) for name in names] for loops, _ in ran])
    took = np.array([its for _, its in ran])
    # The model's small errors of instructions are no cycles.
    average = took.sum() / matrix.sum()
    scaled = matrix / took[:, None]
    drawn = _DRAWN * np.sqrt(len(ran)) * np.eye(len(names))
    left = np.concatenate([scaled, drawn])
    right = np.concatenate([np.ones(len(ran)), average * np.diag(drawn)])
    solved = np.linalg.lstsq(left, right, rcond=None)[0]
    found = {name: float(f"{value:.3g}") for name, value in zip(names, solved, strict=True)}
    return {"": float(f"{average:.3g}"), **found}


def main() -> None:
    """Fit processors and store the factors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("processors", nargs="*", default=[*BOARDS])
    stored = files.read_json(cycles.FILE) if cycles.FILE.is_file() else {}
    for processor in parser.parse_args().processors:
        with tempfile.TemporaryDirectory() as folder:
            ran = measure(processor, Path(folder))
        stored[processor] = fit(ran)
        spread = [
            sum(stored[processor][name] * value for name, value in loops.items()) / took - 1
            for loops, took in ran
        ]
        print(f"{processor}: {len(ran)} files, {np.sqrt(np.mean(np.square(spread))):.1%} off")
        files.write_json(cycles.FILE, stored)


if __name__ == "__main__":
    main()
