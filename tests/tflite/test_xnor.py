"""Convolutions of signs as the firmware's operator: the bytes of the int8 convolutions."""

import numpy as np
import pytest
import tf_keras as keras

from tinyseg.errors import InputError
from tinyseg.plan import Plan, PreprocessingPlan
from tinyseg.runtime.segmented import SegmentedRunner
from tinyseg.runtime.tflite import TfliteRunner
from tinyseg.runtime.tflm import TflmRunner
from tinyseg.steps.convert import to_integers
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.ops.binary_conv_2d import NAME, BinaryConvOptions
from tinyseg.tflite.packing import pack, unpack
from tinyseg.tflite.xnor import lower_binary_convolutions
from tinyseg.zoo import build

SIZE = 16
PREPROCESSING = PreprocessingPlan(SIZE, SIZE, 1)


def converted(**arguments):
    """An int8 file of a small network, not packed."""
    keras.utils.set_random_seed(2)
    arguments = {"base_width": 4, "depth": 1, "conv_levels": 1, "activation_levels": 1, **arguments}
    network = build("blu_net", arguments, PREPROCESSING.input_shape)
    for layer in network.layers:
        if hasattr(layer, "fit_gammas"):
            layer.fit_gammas()
            layer.bias.assign(np.random.default_rng(1).normal(0, 0.3, layer.bias.shape))
    images = np.random.default_rng(0).random((4, SIZE, SIZE, 1), np.float32)
    return unpack(to_integers(network, Plan(preprocessing=PREPROCESSING), images)[0])


@pytest.fixture(scope="module", params=[True, False], ids=["per channel", "per tensor"])
def plain(request):
    return converted(separable=False, per_channel=request.param)


@pytest.fixture
def stored():
    return np.random.default_rng(3).integers(-128, 128, (3, SIZE, SIZE, 1), np.int8)


def test_lowered_file_gives_the_bytes_of_the_int8_convolutions(plain, stored):
    content, replaced = lower_binary_convolutions(plain)
    model = TfliteModel.parse(content)
    # All but the first, which sees the image; through pooling, resizing and concatenation.
    assert len(replaced) == model.opcodes.count(NAME) == 7
    assert model.opcodes.count("CONV_2D") == 1
    runner = SegmentedRunner(model)
    outputs = runner.run(stored)
    expected = TfliteRunner(TfliteModel.parse(plain), reference=True).run(stored)
    # The operator rounds once, the int8 kernels twice.
    assert (outputs != expected).mean() < 0.02
    assert len(np.unique(outputs)) > 3


def test_lowered_file_can_be_packed(plain, stored):
    content, _ = lower_binary_convolutions(plain)
    runners = [SegmentedRunner(TfliteModel.parse(file)) for file in (content, pack(content))]
    np.testing.assert_array_equal(runners[0].run(stored), runners[1].run(stored))


@pytest.mark.parametrize(
    "arguments",
    [{"separable": False, "positive": True}, {"separable": False, "activation_levels": 2}],
)
def test_what_is_no_convolution_of_signs_stays(arguments):
    content = converted(**arguments)
    assert lower_binary_convolutions(content) == (content, [])


def test_interpreter_without_the_operator_says_so(plain, stored):
    model = TfliteModel.parse(lower_binary_convolutions(plain)[0])
    with pytest.raises(InputError, match="TFLM cannot run it"):
        TflmRunner(model).run(stored)


def test_options_survive_and_others_are_refused():
    options = BinaryConvOptions((2, 3), "valid", -20, 90)
    assert BinaryConvOptions.decode(options.encode()) == options
    for damaged in (b"", b"\2" + options.encode()[1:], options.encode() + b"\0"):
        with pytest.raises(InputError, match="export the model again"):
            BinaryConvOptions.decode(damaged)


@pytest.mark.arm
@pytest.mark.tflm
@pytest.mark.slow
def test_emulated_board_gives_the_bytes_of_the_host(plain, stored, tmp_path, monkeypatch):
    from tinyseg.boards.firmware import booted

    monkeypatch.chdir(tmp_path)
    model = TfliteModel.parse(pack(lower_binary_convolutions(plain)[0]), "xnor.tflite")
    with booted(model, PREPROCESSING, "mps2_an500") as device:
        np.testing.assert_array_equal(device.run(stored), SegmentedRunner(model).run(stored))
