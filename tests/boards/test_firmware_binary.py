"""The binary convolution of the firmware on emulated boards."""

import numpy as np
import pytest

from tests.fixtures import Draft, one_operator
from tinyseg import boards
from tinyseg.boards import emulator, firmware
from tinyseg.boards.build import compile_firmware
from tinyseg.boards.c_source import export
from tinyseg.errors import InputError
from tinyseg.plan import PreprocessingPlan
from tinyseg.runtime.device import DeviceRunner
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.ops.binary_conv_2d import (
    NAME,
    BinaryConvOptions,
    binary_conv_2d,
    pack_filter,
    requantization,
)

pytestmark = [pytest.mark.arm, pytest.mark.tflm, pytest.mark.usefixtures("folder")]
SIZE = 64


PREPROCESSING = PreprocessingPlan(height=SIZE, width=SIZE)


# Channels that fill no word, strides that leave a rest, windows beyond the border.
CONVOLUTIONS = {
    "same": ((9, 7, 40), (3, 3), 5, BinaryConvOptions()),
    "valid, stride 2": ((9, 8, 64), (3, 2), 7, BinaryConvOptions((2, 2), "valid")),
    "same, strides 2 and 3": ((8, 10, 3), (5, 4), 2, BinaryConvOptions((2, 3), "same", -20, 90)),
}


def convolution(case, encoded=None):
    """A file with one binary convolution, and what it makes of stored inputs."""
    (height, width, channels), window, out_channels, options = CONVOLUTIONS[case]
    rng = np.random.default_rng(len(case))
    filters = pack_filter(rng.standard_normal((*window, channels, out_channels)))
    # Sums are of the order of the square root of the products.
    scale = rng.uniform(0.5, 2, out_channels) / np.sqrt(np.prod(window) * channels)
    to = requantization(scale, rng.uniform(-0.5, 0.5, out_channels), 1 / 40)

    def run(stored):
        return binary_conv_2d(
            stored, filters, to, options, input_zero_point=-6, output_zero_point=9
        )

    image = np.zeros((1, height, width, channels), np.int8)
    content = one_operator(
        "CUSTOM",
        [
            Draft(image.shape, zero_point=-6),
            Draft(filters.shape, "int32", filters),
            Draft(to.shape, "int32", to),
        ],
        Draft(run(image).shape, scale=1 / 40, zero_point=9),
        custom=NAME,
        custom_options=encoded or options.encode(),
    )
    return TfliteModel.parse(content, "binary.tflite"), run


@pytest.mark.parametrize(
    "board", ["mps2_an500", pytest.param("mps3_an547", marks=pytest.mark.slow)]
)
def test_binary_convolution_is_that_of_numpy(board):
    for case in CONVOLUTIONS:
        model, run = convolution(case)
        rng = np.random.default_rng(1)
        stored = rng.integers(-128, 128, (3, *model.inputs[0].shape[1:]), np.int8)
        expected = run(stored)
        assert len(np.unique(expected)) > 15, case
        # Without measuring the arena: a bound is known for this operator. The folder is that of
        # firmware.make, which then compiles less.
        folder = f"build/firmware/{board}/binary"
        export(model, PREPROCESSING, firmware.host_arena(model), f"{folder}/generated", "binary")
        image = compile_firmware(boards.load_board(board), f"{folder}/cmake", f"{folder}/generated")
        with emulator.start(boards.load_board(board), image.elf) as device:
            runner = DeviceRunner(device, model)
            np.testing.assert_array_equal(runner.run(stored), expected, case)


def test_firmware_with_a_binary_convolution_measures_its_arena():
    model, run = convolution("same")
    with firmware.booted(model, PREPROCESSING, "mps2_an500", "tflm") as runner:
        stored = np.random.default_rng(2).integers(-128, 128, (1, 9, 7, 40), np.int8)
        np.testing.assert_array_equal(runner.run(stored), run(stored))
        assert runner.info.arena_used < firmware.host_arena(model).size


def test_options_of_another_version_are_refused():
    model, _ = convolution("same", encoded=b"\2\1\1\0\x80\x7f")
    with pytest.raises(InputError) as caught:
        firmware.make(model, PREPROCESSING, boards.load_board("mps2_an500"), "tflm")
    message = str(caught.value)
    assert message.startswith("binary.tflite: mps2_an500 cannot run it: ")
    assert f"{NAME}: unknown options; export the model again" in message
