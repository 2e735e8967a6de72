"""Calibration: ranges come from all images, images from all labels."""

import itertools
from collections import Counter

import numpy as np
import pytest
import tf_keras as keras
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import fixtures
from tinyseg.compression.quantization import calibration_rows, convert_post_training
from tinyseg.errors import InputError
from tinyseg.tflite import TfliteModel

L = keras.layers
SHAPE = (4, 6, 2)


@pytest.fixture(scope="module")
def network():
    """One convolution of each pixel, so that NumPy tells its results."""
    image = keras.Input(SHAPE, name="image")
    x = L.Conv2D(3, 1, name="body", bias_initializer=keras.initializers.Constant(0.25))(image)
    return keras.Model(image, L.Activation("sigmoid", name="mask")(x), name="net")


# Which image holds the least and the greatest values, of three; the third holds neither.
@pytest.mark.parametrize("order", itertools.permutations(range(3)))
@pytest.mark.parametrize("bits", [8, 16])
def test_ranges_in_the_file_are_those_of_all_images(network, order, bits):
    dull = np.random.default_rng(2).uniform(0.1, 0.2, SHAPE)
    images = np.float32([dull * factor for factor in (1, -4, 9)])[list(order)]
    plan = fixtures.plan(f"static_wi8_ai{bits}", "integer", 4)
    file = TfliteModel.parse(convert_post_training(network, plan, images))
    kernel, bias = network.get_layer("body").get_weights()
    convolution = next(op for op in file.operators if op.opcode == "CONV_2D")
    for tensor, values in (
        (file.inputs[0], images),
        (convolution.outputs[0], images @ kernel[0, 0] + bias),
    ):
        low, high = float(values.min()), float(values.max())
        scale, zero_point = float(tensor.scales[0]), int(tensor.zero_points[0])
        if bits == 16:
            assert scale == pytest.approx(max(-low, high) / 32767, rel=1e-4)
            assert zero_point == 0
        else:
            # Moved by less than a step, so that zero is an integer.
            assert scale == pytest.approx((high - low) / 255, rel=1e-4)
            assert (-128 - zero_point) * scale == pytest.approx(low, abs=0.51 * scale)


LABELS = st.lists(st.sampled_from("abcd"), min_size=1, max_size=30)


@given(labels=LABELS, extra=st.integers(0, 30), seed=st.integers(0, 1000))
@settings(max_examples=60)
def test_labels_are_as_even_as_their_sizes_allow(labels, extra, seed):
    sizes = Counter(labels)
    count = len(sizes) + extra
    rows = calibration_rows(labels, count, seed)
    assert rows == sorted(set(rows))
    assert len(rows) == min(count, len(labels))
    assert 0 <= rows[0] <= rows[-1] < len(labels)
    shown = Counter(labels[row] for row in rows)
    # No label has two more than another that still has images left.
    for label, size in sizes.items():
        assert shown[label] >= min(size, max(shown.values()) - 1) >= 0
        assert shown[label] >= 1


def test_every_image_of_a_label_can_be_chosen():
    labels = ["a"] * 4 + ["b"] * 3
    chosen = {row for seed in range(40) for row in calibration_rows(labels, 2, seed)}
    assert chosen == set(range(7))


def test_the_last_image_can_be_of_any_label():
    labels = ["a"] * 4 + ["b"] * 4
    more = {
        Counter(labels[row] for row in calibration_rows(labels, 3, seed)).most_common(1)[0][0]
        for seed in range(40)
    }
    assert more == {"a", "b"}


def test_as_many_images_as_labels_are_enough():
    assert calibration_rows(["c", "a", "b"], 3, seed=0) == [0, 1, 2]
    with pytest.raises(InputError) as error:
        calibration_rows(["c", "a", "b", "a"], 2, seed=0)
    assert str(error.value) == (
        "quantization.calibration_images: 2 images cannot show all of a, b, c; raise it to 3 or "
        "more"
    )
