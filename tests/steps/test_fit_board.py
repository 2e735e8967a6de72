"""Verbs lower and fit, and sizes proposed without training."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest

from tests import fixtures
from tinyseg.engine.cores import Core
from tinyseg.plan import ModelPlan, Plan, PreprocessingPlan
from tinyseg.runtime.tflm import TflmRunner
from tinyseg.steps.budget import Budget
from tinyseg.steps.candidates import Candidate, Grid, candidates, front, on_own, on_tflm
from tinyseg.steps.engine_fit import Space
from tinyseg.steps.fit_board import fit_file
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.arena.memory import predict_arena
from tinyseg.tflite.lowering import lower

TINY = {"separable": True}


@pytest.fixture(scope="module")
def model():
    return TfliteModel.parse(fixtures.quantized(io="float32"), "small.tflite")


@pytest.fixture
def tinyseg_command(tmp_path_factory):
    """Run the command line in a process of its own."""
    folder = tmp_path_factory.mktemp("run")

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "tinyseg", *map(str, arguments)],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def candidate(width, depth, size, macs=1):
    return Candidate(width, depth, size, 1, 1, macs, 1)


def test_front_keeps_what_nothing_exceeds():
    small, wide, large = candidate(4, 2, 64), candidate(8, 2, 64, 5), candidate(4, 2, 96, 3)
    assert front([small, wide, large]) == [wide, large]
    assert front([]) == []


@pytest.mark.parametrize(("arena", "file", "fits"), [(10, 5, True), (11, 5, False), (10, 6, False)])
def test_budget(arena, file, fits):
    assert Budget(10, 5).holds(arena, file) is fits


def test_proposed_size_takes_what_was_said():
    """A candidate follows from a small graph; here is the network really built at its size."""
    found = candidates(
        "attention_unet_ds",
        TINY,
        1,
        on_tflm(Budget(60_000, 1 << 20)),
        Grid(widths=[4], depths=[2], sizes=[32, 48]),
    )
    (best,) = found
    assert (best.base_width, best.depth, best.size) == (4, 2, 48)
    from tinyseg.steps.convert import to_integers
    from tinyseg.zoo import build

    processing = PreprocessingPlan(48, 48, 1)
    plan = ModelPlan("attention_unet_ds", {**TINY, "base_width": 4, "depth": 2})
    network = build(plan.name, plan.arguments, processing.input_shape)
    images = np.random.default_rng(1).random((2, 48, 48, 1), np.float32)
    content, _ = to_integers(network, Plan(model=plan, preprocessing=processing), images)
    lowered = lower(TfliteModel.parse(content)).model
    assert best.parameters == network.count_params()
    assert best.arena_bytes == pytest.approx(TflmRunner(lowered).arena.total, rel=0.05)
    assert best.file_bytes == pytest.approx(len(lowered.content), rel=0.1)


def test_own_engine_takes_larger_sizes_than_an_arena():
    """Proposals for our own engine are of the memory that it plans for the very file."""
    space, grid = Space((14_000,), 1 << 20, Core.DSP), Grid([4], [2], [16, 32, 48, 64])
    (own,) = candidates("attention_unet_ds", TINY, 1, on_own(lambda model: space), grid)
    in_arena = candidates("attention_unet_ds", TINY, 1, on_tflm(Budget(14_000, 1 << 20)), grid)
    assert own.size > max((other.size for other in in_arena), default=0)
    assert own.arena_bytes <= 14_000
    (larger,) = candidates(
        "attention_unet_ds", TINY, 1,
        on_own(lambda model: dataclasses.replace(space, regions=(own.arena_bytes,))), grid,
    )  # fmt: skip
    # A few bytes of a file depend on its random weights.
    assert dataclasses.replace(larger, file_bytes=own.file_bytes) == own


def test_nothing_fits_a_tiny_budget():
    assert not candidates(
        "attention_unet_ds", TINY, 1, on_tflm(Budget(2_000, 1 << 20)), Grid([4], [2], [16, 32])
    )


def test_strips_are_used_only_if_needed(model):
    whole = lower(model).model
    arena = predict_arena(whole).needed
    lowered, fits = fit_file(model, Budget(arena, 1 << 20))
    assert fits
    assert lowered.model.content == whole.content
    lowered, fits = fit_file(model, Budget(16, 1 << 20))
    assert not fits


def test_lowered_file_gives_the_same_bytes(model):
    inputs = fixtures.pictures(3)
    expected = TflmRunner(model).run(inputs)
    for patches in (False, True):
        made = lower(model, patches=patches, without=["integer_border"]).model
        np.testing.assert_array_equal(TflmRunner(made).run(inputs), expected)


def test_verbs(tinyseg_command, tmp_path, model):
    path = tmp_path / "small.tflite"
    path.write_bytes(model.content)
    done = tinyseg_command("lower", path, "-o", tmp_path / "out.tflite", "--json")
    steps = json.loads(done.stdout)["steps"]
    assert steps[0]["name"] == "file"
    assert steps[-1]["arena_bytes"] < steps[0]["arena_bytes"]
    made = TfliteModel.read(tmp_path / "out.tflite")
    assert TflmRunner(made).arena.total == steps[-1]["arena_bytes"]
    done = tinyseg_command("fit", path, "--ram", "1M", "--flash", "1M", "-o", tmp_path, "--json")
    values = json.loads(done.stdout)
    assert (done.returncode, values["fits"]) == (0, True)
    assert TfliteModel.read(values["file"]).outputs
    done = tinyseg_command("fit", path, "--ram", "1K", "--flash", "1M")
    assert done.returncode == 1
    assert "does not fit the budget: needs" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit", "FILE"], "name a --board, or both --ram and --flash"),
        (["fit", "FILE", "--board", "nonesuch"], "'nonesuch' is unknown"),
        (["fit", "FILE", "--ram", "much", "--flash", "1M"], "is no size"),
        (["fit", "absent.tflite", "--ram", "1K", "--flash", "1K"], "cannot be read"),
        (["lower", "FILE", "--without", "magic"], "pass 'magic' is unknown"),
    ],
)
def test_bad_arguments(tinyseg_command, tmp_path, model, arguments, message):
    path = tmp_path / "small.tflite"
    path.write_bytes(model.content)
    done = tinyseg_command(*[path if word == "FILE" else word for word in arguments])
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert message in line
    assert sorted(tmp_path.iterdir()) == [path]


DAMAGE = {
    "eight_bytes": lambda content: b"\x18\x00\x00\x00TFL3",
    "truncated": lambda content: content[: len(content) // 3],
    "empty": lambda content: b"",
    "weights_changed": lambda content: content[:9000] + bytes(64) + content[9064:],
    "text": lambda content: b"not a model at all",
}


@pytest.mark.parametrize("verb", ["lower", "fit", "memory"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_files(tinyseg_command, tmp_path, model, verb, damage):
    path = tmp_path / "damaged.tflite"
    path.write_bytes(DAMAGE[damage](fixtures.quantized()))
    budget = ["--ram", "1M", "--flash", "1M"] if verb == "fit" else []
    done = tinyseg_command(verb, path, *budget)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"tinyseg: {path}")
