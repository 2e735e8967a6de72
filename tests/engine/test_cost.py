"""The cost model: what it adds up, and that emulated boards count the same."""

import contextlib
import dataclasses
import json
from pathlib import Path

import pytest

from tests import mlperf_tiny
from tests.engine import programs
from tests.in_process import tinyseg
from tinyseg.boards import firmware
from tinyseg.engine import cost, cost_terms
from tinyseg.engine.compiled import compiled
from tinyseg.engine.cores import Core, core_of
from tinyseg.engine.program import Kernel
from tinyseg.engine.schedule import simulate
from tinyseg.runtime.meaning import Head, Meaning
from tinyseg.runtime.runner import random_inputs, stored
from tinyseg.tflite import TfliteModel

MODELS = Path(__file__).parents[2] / "models"
NETWORKS = [
    *("attention_unet_ds_256k/busi", "attention_unet_ds_256k/phantom"),
    *("blu_net/phantom", "encoder_unet/busi", "lw_unet/busi"),
]
MACHINES = {
    **{"mps2_an386": "cortex-m4", "mps2_an500": "cortex-m7"},
    **{"mps2_an505": "cortex-m33", "mps3_an547": "cortex-m55"},
}
# What the model is made for.
MOST_ERROR = 0.05


def file_of(name):
    (path,) = (MODELS / name).glob("*.tflite")
    return path


@pytest.fixture
def factors(monkeypatch):
    """Factors that are easy to count with."""
    found = {
        "input": {"row": 3.0, "byte": 0.5},
        "output": {"row": 7.0},
        "step": {"row": 2.0, "link": 1.0},
        "table": {"row": 10.0, "element": 2.0},
        "table of each channel": {"row": 1000.0},
    }
    monkeypatch.setattr(cost, "stored", lambda: {"portable": found})


def table(program, **changes):
    """The program with a table, of all channels or each, for its last node."""
    last = dataclasses.replace(program.nodes[-1], kernel=Kernel.TABLE, **changes)
    return dataclasses.replace(program, nodes=(*program.nodes[:-1], last))


def test_rows_take_what_their_terms_say(factors):
    program = table(programs.chain(programs.Need(), rows=5, width=8), params=(0, 0))
    image, last = cost.estimate(simulate(program), Core.PORTABLE)
    assert image == cost.Counted(5 * (3 + 8 / 2), 5)
    assert last == cost.Counted(5 * (10 + 2 * 8 + 7 + 3), 5)


def test_use_that_nobody_measured_counts_as_the_kernels_plain_one(factors, monkeypatch):
    monkeypatch.setattr(cost_terms, "key", lambda node: "table of something new")
    program = table(programs.chain(programs.Need(), rows=5, width=8), params=(0, 1))
    _, last = cost.estimate(simulate(program), Core.PORTABLE)
    assert last.instructions == 5 * (10 + 2 * 8 + 7 + 3)


def test_kernel_that_nobody_measured_has_no_figure(factors):
    program = programs.chain(programs.Need(), rows=5, width=8)
    softmax = dataclasses.replace(program.nodes[-1], kernel=Kernel.SOFTMAX)
    program = dataclasses.replace(program, nodes=(program.nodes[0], softmax))
    assert cost.estimate(simulate(program), Core.PORTABLE)[1] == cost.Counted(None, 5)


def test_rows_that_no_output_needs_take_nothing(factors):
    program = table(
        programs.chain(programs.Need(2, 0, 0, 1), rows=6, width=8), rows=3, params=(0, 0)
    )
    image, _ = cost.estimate(simulate(program), Core.PORTABLE)
    assert image.rows == 5


@pytest.mark.parametrize("core", cost.PROCESSORS)
def test_verb_tells_instructions_by_layer(core):
    path = file_of("attention_unet_ds_256k/phantom")
    result = tinyseg("profile", path, "--engine", "tinyseg", "--core", core, "--json")
    record = json.loads(result.stdout)
    layers = sum(row["instructions"] for row in record["operators"])
    assert layers + record["border_instructions"] == pytest.approx(record["instructions"], 1e-4)
    by_layer = {row["layer"]: row["instructions"] for row in record["operators"]}
    assert by_layer["mask"] > 0
    model = TfliteModel.read(path)
    made = compiled(model, core=core_of(record["processor"]))
    assert (record["ram_bytes"], record["program_bytes"]) == (made.ram, len(made.content))


@pytest.mark.arm
@pytest.mark.slow
@pytest.mark.parametrize("name", [*NETWORKS, *mlperf_tiny.NETWORKS])
@pytest.mark.parametrize("board", MACHINES)
def test_boards_count_what_is_estimated(board, name, tmp_path):
    if name in NETWORKS:
        model = TfliteModel.read(file_of(name))
    else:
        model = TfliteModel.parse(mlperf_tiny.int8_file(name), f"{name}.tflite")
    booted = firmware.booted(model, None, board, "tinyseg", Meaning(Head.NONE))
    with contextlib.chdir(tmp_path), booted as runner:
        runner.run(stored(runner.input, random_inputs(runner.input, 1)))
    core = core_of(MACHINES[board])
    made = compiled(model, core=core)
    counted = cost.estimate(made.placement.schedule, core)
    estimated = sum(found.instructions for found in counted)
    assert estimated == pytest.approx(runner.work[0], rel=MOST_ERROR)
