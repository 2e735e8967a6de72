"""Padding against what TensorFlow's own convolution does."""

import numpy as np
import pytest
import tensorflow as tf

from tests.tflite.drafts import SAME, VALID
from tests.tflite.ops.uses import activation, use, weights
from tinyseg.tflite.ops.padding import padding_before, same_padding


def padded_by_tensorflow(size, extent, stride):
    """Zeros before: the first tap that the first output does not see."""
    image = np.ones((1, size, 1, 1), np.float32)
    kernel = np.eye(extent, dtype=np.float32).reshape(extent, 1, 1, extent)
    taps = tf.nn.conv2d(image, kernel, (1, stride, 1, 1), "SAME").numpy()[0, :, 0]
    return int((taps[0] == 0).cumprod().sum()), int((taps[-1, ::-1] == 0).cumprod().sum())


CASES = [(8, 3, 1), (8, 3, 2), (7, 3, 2), (9, 5, 3), (6, 2, 2), (5, 4, 1), (7, 2, 2)]


@pytest.mark.parametrize(("size", "extent", "stride"), CASES)
def test_same_padding_is_that_of_tensorflow(size, extent, stride):
    output = -(-size // stride)
    expected = padded_by_tensorflow(size, extent, stride)
    assert same_padding(SAME, size, output, extent, stride) == expected
    assert same_padding(VALID, size, output, extent, stride) == (0, 0)


@pytest.mark.parametrize(("size", "extent", "stride"), CASES)
def test_rows_and_columns_before_an_image(size, extent, stride):
    output = -(-size // stride)
    operator = use(
        "CONV_2D",
        [activation(1, size, size, 1), weights(1, extent, extent, 1)],
        activation(1, output, output, 1),
        "Conv2D",
        strideH=stride,
        strideW=stride,
    )
    before, _ = padded_by_tensorflow(size, extent, stride)
    assert padding_before(operator, extent, extent) == (before, before)
    operator.options.padding = VALID
    assert padding_before(operator, extent, extent) == (0, 0)
