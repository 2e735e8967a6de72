"""Networks on TFLM on emulated boards: the bytes of TFLM on the host, memory, damage."""

import contextlib
import re
import shutil
import zlib

import numpy as np
import pytest

from tests import fixtures
from tests.fixtures import Draft, one_operator
from tinyseg import boards
from tinyseg.boards import emulator, firmware
from tinyseg.boards.board import CODE_BYTES, DATA_BYTES
from tinyseg.boards.build import compile_firmware
from tinyseg.boards.c_source import ArenaSize, export
from tinyseg.boards.image import footprint
from tinyseg.errors import InputError
from tinyseg.plan import PreprocessingPlan
from tinyseg.preprocessing import normalise
from tinyseg.runtime.device import DeviceRunner
from tinyseg.runtime.protocol import Code
from tinyseg.runtime.tflm import TflmRunner
from tinyseg.tflite import TfliteModel
from tinyseg.verification.on_device import run_on_device

SIZE = 64


PREPROCESSING = PreprocessingPlan(height=SIZE, width=SIZE)


pytestmark = [pytest.mark.arm, pytest.mark.tflm, pytest.mark.usefixtures("folder")]


MACHINES = ["mps2_an500", "mps3_an547"]


KINDS = {
    "int8": ("static_wi8_ai8", "integer"),
    "int16": ("static_wi8_ai16", "integer"),
    "float32": ("static_wi8_ai8", "float32"),
}


IMAGES = {"int8": 8, "int16": 3, "float32": 2}  # A transfer of 64 KiB takes seconds.


@pytest.fixture(scope="module")
def on_host():
    """Return a function: a kind of file, stored inputs, and TFLM's outputs on the host."""
    known = {}

    def on_host(kind):
        if kind not in known:
            content = fixtures.quantized(*KINDS[kind], base_width=8, size=SIZE)
            # Under one name, so that the next kind compiles only what differs.
            model = TfliteModel.parse(content, "small net.tflite")
            runner = TflmRunner(model)
            pixels = (255 * fixtures.pictures(IMAGES[kind], seed=5, size=SIZE)).astype(np.uint8)
            stored = runner.input.quantize(normalise(pixels, PREPROCESSING))
            known[kind] = model, pixels, stored, runner.run(stored)
        return known[kind]

    return on_host


@pytest.fixture(scope="module")
def made(on_host):
    """Return a function that makes firmware of a kind for a board, unless it is the last one."""
    last = {}

    def made(kind, board):
        # All kinds of a board lie at the same place.
        if last.get(board, (None,))[0] != kind:
            result = firmware.make(
                on_host(kind)[0], PREPROCESSING, boards.load_board(board), "tflm"
            )
            last[board] = kind, result
        return last[board][1]

    return made


def slow_but(kind, board):
    # An int8 file on either board is the main promise; the others share their code.
    return pytest.param(kind, board, marks=[] if kind == "int8" else pytest.mark.slow)


@pytest.mark.parametrize(
    ("kind", "board"), [slow_but(kind, board) for board in MACHINES for kind in KINDS]
)
def test_bytes_are_those_of_tflm_on_the_host(kind, board, made, on_host):
    model, pixels, stored, expected = on_host(kind)
    result = made(kind, board)
    with emulator.start(result.board, result.image.elf) as device:
        assert device.wait_for_log(60) == f"tinyseg on {board}: ready with small_net"
        runner = DeviceRunner(device, model)
        outputs = runner.run(stored)
        np.testing.assert_array_equal(outputs, expected)
        assert outputs.dtype == kind
        assert len(np.unique(expected)) > 20

        # The same work again, operator by operator.
        operators = runner.operator_work
        again = runner.run(stored[-1:])
        np.testing.assert_array_equal(again[0], expected[-1])
        assert runner.unit == "instructions"
        assert runner.work[-1] == runner.work[-2]
        assert runner.operator_work == operators
        assert len(operators) == len(model.operators)
        assert 0.99 * runner.work[-1] < sum(operators) <= runner.work[-1]

        info = device.info()
        assert (info.board, info.model, info.code) == (board, "small_net", Code.OK)
        assert info.model_length == len(model.content)
        assert info.model_crc32 == zlib.crc32(model.content)
        assert info.arena_size == result.arena.size
        assert info.arena_used <= result.arena.measured < info.arena_size
        assert 0 < info.stack_used < info.stack_size // 2
        # What 'export-c' writes, without a board at hand, is enough too.
        assert info.arena_used <= firmware.host_arena(model).size

        real = runner.output.dequantize(expected[-1])
        mask, ticks = device.run_image(pixels[-1])
        np.testing.assert_array_equal(mask, (real > 0.5).ravel())
        assert 0.1 < mask.mean() < 0.9
        assert emulator.instructions(ticks, info.clock_hz) == runner.work[-1]


@pytest.mark.slow
@pytest.mark.parametrize("board", ["mps2_an386", "mps2_an505"])
def test_other_cores_give_the_same_bytes(board, made, on_host):
    model, _, stored, expected = on_host("int8")
    try:
        result = made("int8", board)
    except InputError as error:
        if "holds no library" in str(error):
            pytest.skip(str(error))
        raise
    with emulator.start(result.board, result.image.elf) as device:
        np.testing.assert_array_equal(DeviceRunner(device, model).run(stored[:2]), expected[:2])


def test_verdict_on_the_board(made, on_host):
    model, pixels, _, expected = on_host("int8")
    inputs = normalise(pixels[:2], PREPROCESSING)
    result = made("int8", "mps2_an500")
    with emulator.start(result.board, result.image.elf) as device:
        runner = DeviceRunner(device, model)
        verdict, outputs = run_on_device(runner, inputs, expected[:2])
        assert verdict.failures() == []
        assert (verdict.bit_exact, verdict.repeatable) == (True, True)
        assert (verdict.board, verdict.unit) == ("mps2_an500", "instructions")
        np.testing.assert_array_equal(outputs, expected[:2])
        assert len(verdict.work) == 2
        # One byte off is one byte off.
        wrong = expected[:2].copy()
        wrong[1, 3, 4, 0] ^= 1
        verdict, _ = run_on_device(runner, inputs, wrong)
        assert (verdict.bit_exact, verdict.differing_bytes) == (False, 1)
        assert "differ in 1 output" in verdict.failures()[0]


def test_footprint_counts_the_model_and_the_arena(made, on_host):
    model = on_host("int8")[0]
    result = made("int8", "mps2_an500")
    sizes = footprint(result.image, result.board)
    assert sizes == result.footprint
    assert sizes.model == len(model.content)
    assert sizes.text > 50_000
    used = {usage.region: usage.used for usage in sizes.regions}
    roles = result.board.roles
    assert 0 <= used[roles["FLASH"]] - sizes.flash < 64
    receive = SIZE * SIZE * 3 + 6
    assert 0 <= used[roles["ARENA"]] - result.arena.size - receive < 64
    # What a board's budget leaves to firmware is enough.
    assert sizes.text + sizes.data < CODE_BYTES
    assert used[roles["RAM"]] - result.board.stack < DATA_BYTES
    record = result.as_dict()
    assert (record["board"], record["model"]) == ("mps2_an500", "small net.tflite")
    assert record["sha256"] == model.sha256()
    assert record["flash_bytes"] == sizes.flash
    assert "measured on mps2_an500" in record["arena"]["source"]


def test_files_to_flash_stay_as_small_as_the_image(made):
    """The model lies far from the code there; a file with all that is between would be 1.6 GB."""
    result = made("int8", "mps3_an547")
    files = [result.image.elf, result.image.hex, result.image.bin]
    assert sum(file.stat().st_size for file in files if file.exists()) < 10_000_000


@pytest.mark.slow
def test_real_board_gets_the_arena_that_its_emulated_core_measured(made, on_host):
    emulated = made("int8", "mps2_an500")
    real = made("int8", "nucleo_h743zi")
    assert real.arena == emulated.arena
    assert real.board.name == "nucleo_h743zi"
    assert real.image.elf != emulated.image.elf
    content = real.image.bin.read_bytes()
    assert content.count(on_host("int8")[0].content) == 1


def relu(side):
    draft = Draft((1, side, side, 3))
    return TfliteModel.parse(one_operator("RELU", [draft], draft), f"relu{side}.tflite")


@pytest.mark.slow
def test_model_that_does_not_fit_is_refused_with_the_missing_bytes():
    """Input, output and the frame that brings an input take 480,000 bytes each."""
    board = boards.load_board("nrf52840_dk")
    with pytest.raises(InputError) as caught:
        firmware.make(relu(400), PREPROCESSING, board, "tflm")
    message = str(caught.value)
    found = re.fullmatch(
        r"nrf52840_dk: the model does not fit, it lacks ([\d,]+) bytes of DATA_RAM; .*", message
    )
    lacks = int(found[1].replace(",", ""))
    # Beside them, 16 KiB of stack and what the interpreter needs.
    assert 16_384 < lacks + (256 << 10) - 3 * 480_000 < 32_768


@pytest.fixture
def workshop(folder):
    """Return a function that boots a small network's firmware after a change of its sources."""
    content = fixtures.quantized()
    model = TfliteModel.parse(content, "tiny.tflite")
    board = boards.load_board("mps2_an500")
    sources = folder / "workshop" / "generated"
    plain = PreprocessingPlan(height=fixtures.SIZE, width=fixtures.SIZE)
    measured = TflmRunner(model).arena.total

    @contextlib.contextmanager
    def boots(change=lambda folder: None, arena=None, model=model):
        # A fresh copy, but the build's folder stays: only what differs is compiled.
        size = ArenaSize(measured, arena or 2 * (measured // 16) * 16, "for a test")
        export(model, plain, size, sources, "tiny")
        change(sources)
        image = compile_firmware(board, folder / "workshop" / "cmake", sources)
        with emulator.start(board, image.elf) as device:
            line = device.wait_for_log(60)
            yield model, line.removeprefix("tinyseg on mps2_an500: "), device
            # Whatever it met, it lives.
            assert device.ping(b"alive\0") == b"alive\0"

    yield boots
    shutil.rmtree(sources)


def replace(name, pattern, new):
    """A change of one place in a generated file."""

    def change(folder):
        path = folder / name
        text, count = re.subn(pattern, new, path.read_text(), count=1)
        assert count == 1
        path.write_text(text)

    return change


def assert_broken(device, model, code, detail, *words):
    info = device.info()
    assert (info.code, info.detail) == (code, detail)
    for word in words:
        assert word in info.text
    pixels = np.zeros(fixtures.SIZE**2 * 3, np.uint8)
    for run in (device.run_image, device.run_tensor):
        with pytest.raises(InputError, match=re.escape(words[0])):
            run(pixels)
    with pytest.raises(InputError) as caught:
        DeviceRunner(device, model)
    assert "\n" not in str(caught.value)
    assert device.profile() == []


def test_model_damaged_in_flash_is_reported(workshop):
    with workshop(replace("model_data.cc", r"0x\w\w(?=\n};)", "0x5a")) as (model, line, device):
        damaged = zlib.crc32(model.content[:-1] + b"\x5a")
        assert damaged != zlib.crc32(model.content)
        assert line == f"model's CRC-32 differs; flash the firmware again ({damaged})"
        assert_broken(device, model, Code.MODEL_DAMAGED, damaged, "CRC-32 differs")


def test_model_whose_digest_alone_differs_is_reported(workshop):
    change = replace("model_data.h", r"(kModelSha256\[32\] = \{\n    )0x\w\w, 0x\w\w", r"\g<1>1, 2")
    with workshop(change) as (model, line, device):
        assert line.startswith("model's SHA-256 differs; flash the firmware again")
        assert_broken(
            device, model, Code.MODEL_DAMAGED, zlib.crc32(model.content), "SHA-256 differs"
        )


@pytest.mark.parametrize("arena", [16, 20_000])
def test_arena_that_is_too_small_is_reported_with_the_bytes_needed(workshop, arena):
    with workshop(arena=arena) as (model, line, device):
        needed = TflmRunner(model).arena.total
        assert line == f"tensor arena is too small, bytes needed ({needed})"
        assert_broken(device, model, Code.ARENA_TOO_SMALL, needed, "arena is too small")
        assert device.info().arena_size == arena


def test_operator_that_is_not_registered_is_reported(workshop):
    remove = replace("model_ops.h", r"  if \(resolver->AddLogistic.*\n", "")
    with workshop(remove) as (model, line, device):
        logistic = 14  # BuiltinOperator_LOGISTIC of TensorFlow Lite's schema.
        assert line == f"operator is not registered; export the model again ({logistic})"
        assert_broken(device, model, Code.UNKNOWN_OPERATOR, logistic, "not registered")


def test_model_that_differs_from_its_header_is_reported(workshop):
    with workshop(replace("model_data.h", "OutputElements = 1024", "OutputElements = 512")) as (
        model,
        line,
        device,
    ):
        assert line == "output differs in size (1024)"
        assert_broken(device, model, Code.MODEL_MISMATCH, 1024, "output differs")


def test_what_tflm_says_against_a_model_is_passed_on(workshop):
    """LOGISTIC asks for one zero point of its output, which its kernel says when it prepares."""
    draft = Draft((1, 4, 4, 1))
    content = one_operator("LOGISTIC", [draft], draft)
    with workshop(model=TfliteModel.parse(content, "logistic.tflite")) as (_, line, device):
        assert device.info().code == Code.PREPARE_FAILED
        assert "logistic_common.cc" in device.info().text
        assert line == device.info().text
