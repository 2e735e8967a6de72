"""The estimate of cycles: what it adds up, and the errors that the documentation states."""

import dataclasses
import json
from pathlib import Path

import pytest

from tests.engine import programs
from tests.engine.test_cost import table
from tinyseg.engine import cost, cycles
from tinyseg.engine.cycles import Wait
from tinyseg.engine.program import Data, Kernel
from tinyseg.engine.schedule import simulate

DOCS = Path(__file__).parents[2] / "docs"
STORED = json.loads((DOCS / "experiments" / "cycles.json").read_text())


@pytest.fixture
def factors(monkeypatch):
    """Factors that are easy to count with."""
    instructions = {"input": {"row": 3.0}, "output": {"row": 7.0}, "step": {"row": 2.0}}
    instructions["table"] = {"row": 10.0, "element": 2.0}
    monkeypatch.setattr(cost, "stored", lambda: {"dsp": instructions})
    each = {"cortex-m4": {"": 2.0, "table": 1.5}}
    monkeypatch.setattr(cycles, "stored", lambda: each)


def test_loops_have_cycles_of_their_own(factors):
    schedule = simulate(table(programs.chain(programs.Need(), rows=5, width=8), params=(0, 0)))
    assert cycles.estimate(schedule, "cortex-m4") == [5 * 3 * 2, 5 * (26 * 1.5 + (2 + 7) * 2)]
    assert cycles.estimate(schedule, "cortex-m33") == cycles.estimate(schedule, "cortex-m4")
    assert cycles.estimate(schedule, "cortex-m0plus") is None


def test_each_row_waits_for_its_weights(factors):
    program = table(programs.chain(programs.Need(), rows=5, width=8), params=(Data(bytes(33)), 0))
    ready, waited = (
        cycles.estimate(simulate(program), "cortex-m4", wait) for wait in (None, Wait(32, 14))
    )
    assert waited == [ready[0], ready[1] + 5 * 2 * 14]


@pytest.mark.parametrize("name", STORED)
def test_stated_errors_follow_from_what_is_stored(name):
    case = STORED[name]
    error = case["estimated_cycles"] / case["measured_cycles"] - 1
    row = f"| {case['title']} | {case['instructions'] / 1e6:.1f} M "
    row += f"| {case['estimated_cycles'] / 1e6:.1f} M | {case['measured_cycles'] / 1e6:.1f} M "
    assert row + f"| {error:+.0%} |" in (DOCS / "engine.md").read_text()


@pytest.mark.parametrize("processor", ["cortex-m4", "cortex-m7", "cortex-m33"])
def test_processors_with_the_dsp_extension_have_timings(processor):
    program = table(programs.chain(programs.Need(), rows=5, width=8), params=(0, 0))
    image, last = program.nodes
    program = dataclasses.replace(
        program, nodes=(image, dataclasses.replace(last, kernel=Kernel.DSP_TABLE))
    )
    assert all(cycles.estimate(simulate(program), processor))
