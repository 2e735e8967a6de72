"""Networks on our own engine on emulated boards, from Debian's packages alone."""

import dataclasses

import numpy as np
import pytest

from tests import fixtures
from tinyseg import boards
from tinyseg.boards import emulator, firmware
from tinyseg.boards.pieces import pieces
from tinyseg.decision import decide, peaks
from tinyseg.errors import InputError
from tinyseg.operating_point import OperatingPoint
from tinyseg.plan import PreprocessingPlan
from tinyseg.preprocessing import normalise
from tinyseg.runtime.device import DeviceRunner
from tinyseg.runtime.tflm import TflmRunner
from tinyseg.runtime.views import outputs_at
from tinyseg.tflite import TfliteModel

SIZE = 32
PREPROCESSING = PreprocessingPlan(height=SIZE, width=SIZE)
# One for each core: M4, M7, M33, M55.
MACHINES = ["mps2_an386", "mps2_an500", "mps2_an505", "mps3_an547"]

pytestmark = pytest.mark.usefixtures("folder")


@pytest.fixture(scope="module")
def on_host():
    """A small network, stored inputs, and TFLM's outputs on the host."""
    content = fixtures.quantized("static_wi8_ai8", "integer", base_width=4, size=SIZE)
    model = TfliteModel.parse(content, "small net.tflite")
    runner = TflmRunner(model)
    pixels = (255 * fixtures.pictures(8, seed=5, size=SIZE)).astype(np.uint8)
    stored = runner.input.quantize(normalise(pixels, PREPROCESSING))
    return model, pixels, stored, runner.run(stored)


def rows_of(made):
    """How many rows are computed in an inference."""
    program, _ = firmware.compile_for(made.model, made.board)
    return sum(lives.computed for lives in program.placement.schedule.lives)


@pytest.mark.arm
@pytest.mark.parametrize("board", MACHINES)
def test_bytes_are_those_of_tflm_on_the_host(board, on_host):
    model, pixels, stored, expected = on_host
    made = firmware.make(model, PREPROCESSING, boards.load_board(board))
    with emulator.start(made.board, made.image.elf) as device:
        assert device.wait_for_log(60) == f"tinyseg on {board}: ready with small_net"
        runner = DeviceRunner(device, model)
        np.testing.assert_array_equal(runner.run(stored), expected)
        # Counts do not depend on the image, and cover every operator.
        assert len(set(runner.work)) == 1
        assert len(runner.operator_work) == len(model.operators)
        between = runner.work[-1] - sum(runner.operator_work)
        assert 0 <= between / rows_of(made) < 500
        # Memory is planned to the byte.
        info = runner.refresh()
        assert info.arena_used == info.arena_size == made.arena.size
        assert info.stack_used < 6 << 10
        # Pixels become the input in the place where they arrive.
        mask, _ = device.run_image(pixels[0])
        foreground = runner.output.dequantize(expected[0]) > PREPROCESSING.threshold
        np.testing.assert_array_equal(np.ravel(mask).astype(bool), foreground.ravel())


@pytest.mark.arm
@pytest.mark.parametrize("board", MACHINES)
@pytest.mark.parametrize("mirrored", [False, True])
def test_masks_at_an_operating_point_are_those_of_the_host(board, mirrored, on_host):
    """Eight images, some of which are blank: every bit is that of the host's decision."""
    model, pixels, _, expected = on_host
    inputs, seen = normalise(pixels, PREPROCESSING), OperatingPoint(mirrored=mirrored)
    probabilities = outputs_at(seen, TflmRunner(model), inputs)
    found = np.sort(peaks(probabilities, 0.02).ravel())
    point = dataclasses.replace(
        PREPROCESSING,
        share=0.02,
        blank_below=float(found[2:4].mean()),
        relative=0.97,
        smallest=3,
        largest_only=True,
        mirrored=mirrored,
    )
    masks = decide(probabilities, point)
    assert 0 < masks.any((1, 2, 3)).sum() < len(masks)
    made = firmware.make(model, point, boards.load_board(board))
    with emulator.start(made.board, made.image.elf) as device:
        for image, mask in zip(pixels, masks, strict=True):
            bits, _ = device.run_image(image)
            np.testing.assert_array_equal(np.ravel(bits).astype(bool), mask.ravel())
        # The output tensor is what it was, after masks that were made in its place.
        runner = DeviceRunner(device, model)
        stored = runner.input.quantize(normalise(pixels[:1], PREPROCESSING))
        np.testing.assert_array_equal(runner.run(stored), expected[:1])
        assert runner.refresh().stack_used < 6 << 10


@pytest.mark.arm
def test_code_is_small(on_host):
    """All of the firmware's code: engine, kernels, protocol, drivers."""
    made = firmware.make(on_host[0], PREPROCESSING, boards.load_board("mps2_an500"))
    assert made.footprint.text < 32 << 10
    assert made.footprint.model < 1.1 * len(on_host[0].content)


def test_memories_of_a_board_are_used_together():
    """A Nucleo-H743ZI has one megabyte in five pieces."""
    board = boards.load_board("nucleo_h743zi")
    found = pieces(board, taken=1000)
    assert [piece.section for piece in found] == [
        ".arena", ".in_SRAM123", ".in_DTCM", ".in_ITCM", ".in_SRAM4",
    ]  # fmt: skip
    assert found[0].bytes == (512 << 10) - 1008
    # Variables and stack are in the DTCM.
    assert found[2].bytes == (128 << 10) - (8 << 10) - board.stack
    assert all(piece.bytes % 16 == 0 for piece in found)


def test_a_network_that_needs_more_is_refused():
    content = fixtures.quantized("static_wi8_ai8", "integer", base_width=4, size=SIZE)
    model = TfliteModel.parse(content, "net.tflite")
    board = boards.load_board("rp2040_pico")
    small, ram = dict(board.memory), board.roles["ARENA"]
    small[ram] = dataclasses.replace(small[ram], length=31 << 10)
    with pytest.raises(InputError, match=r"net.tflite: needs [\d,]+ bytes of memory"):
        firmware.compile_for(model, dataclasses.replace(board, memory=small))
