"""Upsampling of the published networks against other implementations, and what replaces it."""

import math

import cv2
import numpy as np
import pytest
import tf_keras as keras

from tinyseg.zoo.blocks.deployment import (
    AlignCornersUpsampling2D,
    BicubicUpsampling2D,
    activate,
    upsample,
)


@pytest.fixture
def image():
    return np.random.default_rng(0).random((2, 5, 7, 3), np.float32)


def test_bicubic_is_that_of_opencv(image):
    """OpenCV has PyTorch's coefficient, half-pixel centres and repeated border."""
    expected = [cv2.resize(x, (14, 10), interpolation=cv2.INTER_CUBIC) for x in image]
    np.testing.assert_allclose(BicubicUpsampling2D()(image), expected, atol=1e-5)


def test_corners_stay_in_place(image):
    outputs = AlignCornersUpsampling2D()(image).numpy()
    rows, columns = np.linspace(0, 4, 10), np.linspace(0, 6, 14)
    by_column = np.apply_along_axis(lambda x: np.interp(rows, range(5), x), 1, image)
    expected = np.apply_along_axis(lambda x: np.interp(columns, range(7), x), 2, by_column)
    np.testing.assert_allclose(outputs, expected, atol=1e-6)
    np.testing.assert_allclose(outputs[:, ::9, ::13], image[:, ::4, ::6], atol=1e-6)


@pytest.mark.parametrize("method", ["bicubic", "align_corners"])
@pytest.mark.parametrize("deployable", [True, False])
def test_all_upsampling_doubles_a_constant_map(method, deployable):
    source = keras.Input((4, 6, 2))
    x = upsample(source, method, deployable=deployable, name="up")
    assert x.shape == (None, 8, 12, 2)
    outputs = keras.Model(source, x)(np.full((1, 4, 6, 2), 0.3, np.float32))
    np.testing.assert_allclose(outputs, 0.3, rtol=1e-6)
    assert isinstance(x.node.layer, keras.layers.UpSampling2D) is deployable


def test_activations_and_their_stand_in():
    values = np.linspace(-4, 4, 33).astype(np.float32)
    published = {
        "gelu": [0.5 * x * (1 + math.erf(x / 2**0.5)) for x in values],
        "mish": values * np.tanh(np.log1p(np.exp(values))),
    }
    for kind, expected in published.items():
        source = keras.Input((33,))
        given = [
            keras.Model(source, activate(source, kind, deployable=choice, name=kind))(values[None])
            for choice in (False, True)
        ]
        np.testing.assert_allclose(given[0][0], expected, atol=1e-6)
        np.testing.assert_array_equal(given[1][0], np.maximum(values, 0))
