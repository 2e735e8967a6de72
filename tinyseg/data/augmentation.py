"""Random changes to training images that a scanner or an operator could have made."""

from __future__ import annotations

import math

import tensorflow as tf

MAX_ROTATION = math.radians(12)
MAX_SHIFT = 0.08
ZOOM = (0.85, 1.2)
CONTRAST = (0.75, 1.3)
BRIGHTNESS = 0.12


def augment(images: tf.Tensor, masks: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Flip left-right, rotate, shift, zoom, and change contrast and brightness of a batch.

    Up and down stay: depth has a meaning in ultrasound.

    Args:
        images: uint8 ``(batch, height, width, channels)``.
        masks: uint8 ``(batch, height, width, 1)``; moved along, nearest neighbour.
        seed: int ``(2,)``; equal seeds give equal results.

    Returns:
        Images and masks of the same shapes and dtypes.
    """
    batch = tf.shape(images)[0]
    height = tf.cast(tf.shape(images)[1], tf.float32)
    width = tf.cast(tf.shape(images)[2], tf.float32)
    seeds = tf.random.split(tf.cast(seed, tf.int32), 7)

    def uniform(row: int, low: float, high: float) -> tf.Tensor:
        return tf.random.stateless_uniform([batch], seeds[row], low, high)

    flip = tf.sign(uniform(0, -1.0, 1.0))
    angle = uniform(1, -MAX_ROTATION, MAX_ROTATION)
    zoom = tf.exp(uniform(2, math.log(ZOOM[0]), math.log(ZOOM[1])))
    shift_x = uniform(3, -MAX_SHIFT, MAX_SHIFT) * width
    shift_y = uniform(4, -MAX_SHIFT, MAX_SHIFT) * height
    centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
    # Rows of the matrix that maps output to input coordinates, about the centre.
    a, b = flip * tf.cos(angle) / zoom, -flip * tf.sin(angle) / zoom
    c, d = tf.sin(angle) / zoom, tf.cos(angle) / zoom
    zero = tf.zeros_like(a)
    transforms = tf.stack(
        [
            a, b, centre_x - a * centre_x - b * centre_y + shift_x,
            c, d, centre_y - c * centre_x - d * centre_y + shift_y,
            zero, zero,
        ],
        axis=1,
    )  # fmt: skip

    def move(values: tf.Tensor, interpolation: str, fill: str) -> tf.Tensor:
        return tf.raw_ops.ImageProjectiveTransformV3(
            images=values,
            transforms=transforms,
            output_shape=tf.shape(values)[1:3],
            fill_value=0.0,
            interpolation=interpolation,
            fill_mode=fill,
        )

    # Both are mirrored at the border: a lesion that the border cuts goes on in image and mask.
    images, masks = move(images, "BILINEAR", "REFLECT"), move(masks, "NEAREST", "REFLECT")
    column = (-1, 1, 1, 1)
    contrast = tf.reshape(uniform(5, *CONTRAST), column)
    brightness = tf.reshape(uniform(6, -BRIGHTNESS, BRIGHTNESS), column) * 255
    pixels = (tf.cast(images, tf.float32) - 127.5) * contrast + 127.5 + brightness
    return tf.cast(tf.clip_by_value(pixels, 0, 255), images.dtype), masks
