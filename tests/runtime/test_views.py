"""What a network says of an image and of its mirror image."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tinyseg.errors import InputError
from tinyseg.operating_point import OperatingPoint
from tinyseg.runtime.meaning import Head, MapLayout, Meaning
from tinyseg.runtime.runner import TensorSpec
from tinyseg.runtime.views import joined, looks, outputs_at, views

ONCE, TWICE = OperatingPoint(), OperatingPoint(mirrored=True)


class Weighted:
    """A network that answers by place: each value with a weight of its column."""

    kernels = "of a test"

    def __init__(self, dtype, layout):
        shape = (layout.height, layout.width, layout.channels)
        self._first = layout.first
        self.input = TensorSpec((1, *shape), "float32")
        stored = (shape[2], *shape[:2]) if layout.first else shape
        scale = {} if dtype == "float32" else {"scale": 0.5, "zero_point": 3}
        self.output = TensorSpec((1, *stored), dtype, **scale)
        self._weights = np.arange(1, layout.width + 1, dtype=np.float32)[:, None]
        self.images = []

    def run(self, inputs):
        self.images += list(inputs)
        made = inputs * self._weights
        return self.output.quantize(np.moveaxis(made, -1, 1) if self._first else made)


@pytest.mark.parametrize("dtype", ["float32", "int8", "uint8"])
@pytest.mark.parametrize("first", [False, True])
def test_the_mean_of_both_is_taken_where_each_place_is(dtype, first):
    layout = MapLayout(2, 3, 2, first)
    network, meaning = Weighted(dtype, layout), Meaning(Head.SIGMOID, layout)
    images = np.random.default_rng(0).integers(0, 9, (4, 2, 3, 2)).astype(np.float32)
    once = outputs_at(ONCE, network, images, meaning)
    np.testing.assert_array_equal(once, network.output.dequantize(network.run(images)))
    network.images.clear()
    twice = outputs_at(TWICE, network, images, meaning)
    assert len(network.images) == 8
    np.testing.assert_array_equal(network.images[1], images[0][:, ::-1])
    # A column of weight w has the weight 4 - w in the mirror image: 2 in the mean.
    expected = np.moveaxis(2 * images, -1, 1) if first else 2 * images
    np.testing.assert_allclose(twice, expected, atol=0.25 if dtype != "float32" else 0)
    assert twice.dtype == np.float32


OUTPUTS = arrays.arrays(np.int8, st.tuples(st.integers(1, 4), st.just(5), st.just(4), st.just(1)))


@given(OUTPUTS)
def test_halves_are_rounded_up(made):
    target = TensorSpec((1, 5, 4, 1), "int8", 1 / 256, -128)
    pairs = np.stack([made, made[:, :, ::-1]], 1).reshape(-1, *made.shape[1:])
    np.testing.assert_array_equal(joined(TWICE, target, pairs), target.dequantize(made))
    other = np.where(made < 127, made + 1, made).astype(np.int8)
    pairs = np.stack([made, other[:, :, ::-1]], 1).reshape(-1, *made.shape[1:])
    np.testing.assert_array_equal(joined(TWICE, target, pairs), target.dequantize(other))


def test_classes_of_an_image_have_no_sides():
    target = TensorSpec((1, 2), "float32")
    made = np.array([[0.2, 0.8], [0.4, 0.6]], np.float32)
    np.testing.assert_allclose(joined(TWICE, target, made), [[0.3, 0.7]])


def test_numbers_of_classes_have_no_mean():
    meaning = Meaning(Head.LABELS, MapLayout(2, 2, 1), classes=3)
    with pytest.raises(InputError, match="numbers of classes have no mean"):
        joined(TWICE, TensorSpec((1, 2, 2, 1), "int32"), np.zeros((2, 2, 2, 1), int), meaning)


def test_an_image_is_seen_as_often_as_asked():
    images = np.arange(12, dtype=np.float32).reshape(2, 2, 3, 1)
    assert looks(ONCE, images) is images
    assert [views(ONCE), views(TWICE)] == [1, 2]
    np.testing.assert_array_equal(looks(TWICE, images)[[0, 2]], images)
