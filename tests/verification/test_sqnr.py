"""Signal-to-noise ratios: the formula by hand, the layers against TensorFlow Lite."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests import fixtures
from tests.tflite.drafts import File, options
from tinyseg.tflite import TfliteModel
from tinyseg.verification.sqnr import layer_sqnr, sqnr_db

values = st.floats(-1e6, 1e6, width=32)


def test_decibels_by_hand():
    # Signal 9 + 16 = 25, error 1: 10 log10(25) = 13.9794.
    assert sqnr_db(np.float32([3, 4]), np.float32([3, 3])) == pytest.approx(13.9794, abs=1e-4)
    # An error of a tenth in every value is 20 dB, whatever the scale.
    for scale in (1e-6, 1.0, 1e6):
        signal = np.float32([[1, -2], [3, 4]]) * np.float32(scale)
        assert sqnr_db(signal, signal * np.float32(1.1)) == pytest.approx(20, abs=1e-4)
    # Zero instead of the signal: as much error as signal.
    assert sqnr_db(np.float32([5, 0]), np.float32([0, 0])) == 0


def test_no_ratio_without_signal_or_without_error():
    signal = np.float32([1, 2])
    assert sqnr_db(signal, signal) is None
    assert sqnr_db(np.zeros(2, np.float32), signal) is None
    assert sqnr_db(np.zeros(2, np.float32), np.zeros(2, np.float32)) is None


def test_large_values_do_not_overflow():
    # Their squares exceed the range of float32.
    signal = np.full(4, 1e30, np.float32)
    assert sqnr_db(signal, signal * np.float32(1.01)) == pytest.approx(40, abs=0.01)


@given(arrays.arrays(np.float32, 7, elements=values), arrays.arrays(np.float32, 7, elements=values))
def test_decibels_are_those_of_the_definition(signal, other):
    signal, other = signal.astype(np.float64), other.astype(np.float64)
    power, noise = np.sum(signal**2), np.sum((signal - other) ** 2)
    if power == 0 or noise == 0:
        assert sqnr_db(signal, other) is None
    else:
        expected = 10 * (np.log10(power) - np.log10(noise))
        assert sqnr_db(signal, other) == pytest.approx(expected, abs=1e-6)


@pytest.fixture(scope="module")
def models():
    return [TfliteModel.parse(c) for c in (fixtures.float_twin(), fixtures.quantized())]


@pytest.fixture(scope="module")
def rows(models):
    return layer_sqnr(*models, fixtures.pictures(1, seed=5)[0])


def test_every_layer_is_compared_in_order(models, rows):
    quantized = models[1]
    assert [row["operator"] for row in rows] == list(range(len(quantized.operators)))
    assert [row["opcode"] for row in rows] == quantized.opcodes
    layers = [row["layer"] for row in rows if row["opcode"] == "CONV_2D"]
    assert len(layers) == 17
    assert {"encoder1_conv1", "bottleneck_conv2", "decoder2_conv2"} <= set(layers)
    assert [row["layer"] for row in rows if row["opcode"] == "TRANSPOSE_CONV"] == [
        "decoder1_upsample",
        "decoder2_upsample",
    ]


def test_ratios_are_plausible(rows):
    ratios = np.array([row["sqnr_db"] for row in rows])
    assert ratios.min() > 5
    # 8 bits of a uniformly filled range give 20 log10(2**8) = 48 dB.
    assert np.median(ratios) < 50


def test_ratio_of_a_layer_is_that_of_its_tensors(models, rows):
    """Recompute one in the middle from TensorFlow Lite's tensors of the same name."""
    image = fixtures.pictures(1, seed=5)
    operator = next(op for op in models[1].operators if op.opcode == "TRANSPOSE_CONV")
    found = []
    for model in models:
        reference = fixtures.interpreter(model.content, experimental_preserve_all_tensors=True)
        details = reference.get_input_details()[0]
        scale, zero_point = details["quantization"]
        stored = np.clip(np.round(image / scale) + zero_point, -128, 127) if scale else image
        reference.set_tensor(details["index"], stored.astype(details["dtype"]))
        reference.invoke()
        named = {t["name"]: t for t in reference.get_tensor_details()[: len(model.tensors)]}
        details = named[operator.outputs[0].name]
        scale, zero_point = details["quantization"]
        tensor = reference.get_tensor(details["index"]).astype(np.float64)
        found.append((tensor - zero_point) * scale if scale else tensor)
    expected = 10 * np.log10(np.sum(found[0] ** 2) / np.sum((found[0] - found[1]) ** 2))
    # Of the float file the optimised kernels ran, which differ in last places.
    assert rows[operator.index]["sqnr_db"] == pytest.approx(expected, abs=0.1)


def test_the_signal_is_the_float_file_s():
    """Three times the image in floats, once in integers: two of three are error."""

    def tripled(dtype, factor):
        file = File()
        source, target = (
            file.tensor((1, 2, 3, 2), dtype, scale=0.25, name=name) for name in ("image", "scores")
        )
        constant = file.constant([factor], dtype, scale=0.25)
        file.operator("MUL", [source, constant], target, options("Mul"))
        return TfliteModel.parse(file.content([source], [target]))

    image = np.arange(-5, 7, dtype=np.float32).reshape(2, 3, 2) / 4
    (row,) = layer_sqnr(tripled("float32", 3), tripled("int8", 4), image)
    assert row["sqnr_db"] == pytest.approx(10 * np.log10(9 / 4), abs=1e-5)


def test_wider_activations_are_less_noisy(models, rows):
    wide = TfliteModel.parse(fixtures.quantized("static_wi8_ai16"))
    better = layer_sqnr(models[0], wide, fixtures.pictures(1, seed=5)[0])
    # Rescaling before a concatenation has no counterpart in float.
    assert len(better) == len(rows)
    assert np.median([r["sqnr_db"] for r in better]) > np.median([r["sqnr_db"] for r in rows]) + 3


def test_a_damaged_layer_stands_out(models, rows):
    """Noise enters where a weight is wrong, and nowhere before."""
    changed = fixtures.unpack(models[1].content)
    operator = changed.subgraphs[0].operators[15]
    buffer = changed.buffers[changed.subgraphs[0].tensors[operator.inputs[1]].buffer]
    buffer.data = np.zeros_like(buffer.data)
    damaged = TfliteModel.parse(fixtures.pack(changed))
    after = layer_sqnr(models[0], damaged, fixtures.pictures(1, seed=5)[0])
    assert [r["sqnr_db"] for r in after[:15]] == [r["sqnr_db"] for r in rows[:15]]
    assert after[15]["sqnr_db"] < rows[15]["sqnr_db"] - 10
