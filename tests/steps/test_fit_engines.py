"""With which engine a file fits: our own as it is, TFLM's arena as lowered."""

import contextlib
import json

import numpy as np
import pytest
from flatbuffers import flexbuffers

from tests import fixtures
from tests.in_process import tinyseg
from tests.tflite.drafts import File
from tinyseg import boards
from tinyseg.engine.compiled import compiled
from tinyseg.engine.cores import Core
from tinyseg.runtime.tflm import measured
from tinyseg.steps.engine_fit import Space, fit_own, fits_own
from tinyseg.steps.fit_board import Limits, fit_board
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.arena.memory import predict_arena
from tinyseg.tflite.lowering import lower

SIZE = 32


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fit")
    content = fixtures.quantized("static_wi8_ai8", "integer", base_width=4, size=SIZE)
    (folder / "net.tflite").write_bytes(content)
    with contextlib.chdir(folder):
        yield str(folder / "net.tflite")


@pytest.fixture(scope="module")
def model(path):
    return TfliteModel.read(path)


@pytest.fixture(scope="module")
def whole(model):
    return compiled(model)


@pytest.fixture(scope="module")
def arena(model):
    """What TFLM needs on this machine at the least."""
    return predict_arena(lower(model).model).needed


def test_both_engines_are_told_and_ours_comes_first(path, whole, arena):
    fitted = fit_board(path, Limits(ram="1M", flash="1M"))
    own, other = fitted.engines
    assert (own.engine, own.fits, own.work) == ("tinyseg", True, 1)
    assert (own.ram_bytes, own.flash_bytes) == (whole.ram, len(whole.content))
    assert (other.engine, other.fits, other.ram_bytes) == ("tflm", True, arena)
    # It is the file itself that fits.
    assert (fitted.engine, str(fitted.file)) == ("tinyseg", path)
    assert not fitted.failures


def test_rows_are_computed_again_before_the_network_is_cut(path, whole, arena):
    """Too little for TFLM, and for our engine if it computes each row once."""
    peak = whole.placement.schedule.peak
    assert peak < arena
    fitted = fit_board(path, Limits(ram=str(peak - 16), flash="1M"))
    own, other = fitted.engines
    assert own.fits
    assert own.work > 1
    assert own.ram_bytes < peak
    assert not other.fits
    assert "patches" not in [step.name for step in fitted.lowered.steps]


def test_only_the_engine_asked_for(path, whole, arena):
    own = fit_board(path, Limits(ram="1M", flash="1M", engine="tinyseg"))
    assert ([fit.engine for fit in own.engines], own.lowered) == (["tinyseg"], None)
    tflm = fit_board(path, Limits(ram="1M", flash="1M", engine="tflm"))
    assert [fit.engine for fit in tflm.engines] == ["tflm"]
    assert TfliteModel.read(tflm.file).content == lower(TfliteModel.read(path)).model.content
    small = fit_board(path, Limits(ram=str(whole.ram), flash="1M", engine="tflm"))
    assert small.engine != "tinyseg"


def test_what_fits_nowhere_is_told_of_each_engine(path, whole):
    for ram, flash in (("1K", "1M"), ("1M", str(len(whole.content) - 1))):
        result = tinyseg("fit", path, "--ram", ram, "--flash", flash, "--json")
        values = json.loads(result.stdout)
        assert (result.returncode, values["fits"], values["engine"]) == (1, False, None)
        lines = result.stderr.strip().splitlines()
        assert len(lines) == 2
        assert all(f"{path}: does not fit the budget: needs" in line for line in lines)
        assert [fit["why"] for fit in values["engines"]] == [
            line.split(" ", 1)[1] for line in lines
        ]


def test_a_file_that_ours_refuses_may_fit_tflm(tmp_path):
    path = tmp_path / "wide.tflite"
    path.write_bytes(fixtures.quantized("static_wi8_ai16", "integer", base_width=4, size=32))
    fitted = fit_board(str(path), Limits(ram="1M", flash="1M"), folder=tmp_path)
    own, other = fitted.engines
    assert not own.fits
    assert "take --engine tflm" in own.why
    assert (fitted.engine, other.fits) == ("tflm", True)
    only = fit_board(str(path), Limits(ram="1M", flash="1M", engine="tinyseg"))
    assert (only.file, only.failures) == (None, (own.why,))


def test_memories_of_a_board_count_together(model):
    """A Nucleo-H743ZI has its RAM in five pieces, of which TFLM takes one."""
    board = boards.load_board("nucleo_h743zi")
    space = Space.of(board, model)
    assert len(space.regions) == 5
    assert space.flash > board.budget().model
    assert sum(space.regions) > board.budget().arena
    assert fit_own(model, space, board.name).fits


@pytest.mark.parametrize("core", [Core.DSP, Core.MVE])
def test_a_quick_look_says_what_a_plan_says(core, path, model):
    made = compiled(model, core=core)
    ram, flash = made.ram, len(made.content)
    least = ram // 2
    regions = [(), (100,), (least,), (ram - 256,), (ram,), (ram // 2, ram // 2 + 512)]
    spaces = [Space(sizes, flash + 4096, core) for sizes in regions]
    spaces.append(Space((8 * ram,), flash // 2, core))
    looks = fits_own(model, spaces)
    assert looks == [fit_own(model, space, "here").fits for space in spaces]
    assert looks[:2] == [False, False]
    assert looks[4]
    assert not looks[-1]


def test_lowering_for_ours_leaves_out_what_helps_tflm_alone(path, model):
    """What TFLM's passes make of a file is undone: the engine gets the same rows to compute."""
    assert tinyseg("lower", path, "-o", "tflm.tflite").returncode == 0
    assert (
        tinyseg("lower", "tflm.tflite", "--engine", "tinyseg", "-o", "own.tflite").returncode == 0
    )
    low, own = TfliteModel.read("tflm.tflite"), TfliteModel.read("own.tflite")
    counts = {name: [m.opcodes.count(name) for m in (model, low, own)] for name in model.opcodes}
    assert counts["TRANSPOSE_CONV"] == [counts["TRANSPOSE_CONV"][0], 0, counts["TRANSPOSE_CONV"][0]]
    assert "DEPTH_TO_SPACE" not in own.opcodes
    result = tinyseg("lower", path, "--engine", "tinyseg", "--patches")
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "--max-work" in result.stderr


def test_what_nobody_counted_is_measured(tmp_path):
    """Each window of TFLM's signal library keeps 16 bytes that no prediction knows."""
    draft, count = File(), 24
    source = last = draft.tensor((1, 16), "int16")
    window = draft.constant(np.full(16, 4096), "int16")
    for _ in range(count):
        last = draft.operator("CUSTOM", [last, window], draft.tensor((1, 16), "int16"))
    draft.model.operatorCodes[0].customCode = "SignalWindow"
    for operator in draft.graph.operators:
        operator.customOptions = np.frombuffer(flexbuffers.Dumps({"shift": 12}), np.uint8)
    file = tmp_path / "windows.tflite"
    file.write_bytes(draft.content([source], [last]))
    model = TfliteModel.read(file)
    assert measured(model).total == predict_arena(model).total + 16 * count
    need = predict_arena(model).needed + 16 * count
    for room in (need, need - 16):
        limits = Limits(ram=str(room), flash="1M", engine="tflm")
        (fit,) = fit_board(str(file), limits, folder=tmp_path).engines
        assert (fit.fits, fit.ram_bytes) == (room == need, need)
    assert f"needs {need:,} bytes of arena of {room:,}" in fit.why
