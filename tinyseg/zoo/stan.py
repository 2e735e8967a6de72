"""STAN, the small tumour-aware network."""

from __future__ import annotations

import tf_keras as keras

from tinyseg.zoo.blocks import mask_head, same_conv
from tinyseg.zoo.blocks.arguments import check_sizes


def stan(
    input_shape: tuple[int, int, int] = (256, 256, 3),
    base_width: int = 32,
    depth: int = 4,
    classes: int = 1,
    name: str = "stan",
) -> keras.Model:
    """Build the small tumour-aware network for breast ultrasound images.

    B. Shareef et al., "STAN: Small Tumor-Aware Network for Breast Ultrasound Image Segmentation",
    ISBI 2020 (arXiv:2002.01034), in the form of H. Nguyen's TensorFlow code. Each stage sees its
    input through 3x3 kernels and, in a second branch, through 1x1 and 5x5 ones; the decoder gets
    both.

    Args:
        input_shape: height, width, channels; the sides are multiples of ``2**depth``.
        base_width: filters of the first stage; each further stage doubles them.
        depth: number of encoder stages, each followed by a pooling; at least 1.
        classes: output channels, each an independent sigmoid (labels may overlap).
        name: of the model.

    Returns:
        Model from images float32 ``(batch, height, width, channels)`` to probabilities float32
        ``(batch, height, width, classes)``.

    Raises:
        ValueError: an argument is out of range.
    """
    check_sizes(input_shape, base_width, depth, classes)
    image = keras.Input(input_shape, name="image")
    medium = varied = image
    skips = []
    for stage in range(1, depth + 1):
        width, prefix = base_width * 2 ** (stage - 1), f"encoder{stage}"
        first = same_conv(medium, width, name=f"{prefix}_conv1")
        medium = same_conv(first, width, name=f"{prefix}_conv2")
        varied = _small_and_large(varied, width, prefix)
        skips.append((medium, (first, varied)))
        medium = keras.layers.MaxPooling2D(2, name=f"{prefix}_pool")(medium)
        varied = keras.layers.MaxPooling2D(2, name=f"{prefix}_varied_pool")(varied)
    x = _bottleneck(medium, varied, base_width * 2**depth)
    for stage, (skip, more) in enumerate(reversed(skips), start=1):
        width, prefix = skip.shape[-1], f"decoder{stage}"
        x = keras.layers.Conv2DTranspose(
            width,
            3,
            strides=2,
            padding="same",
            activation="relu",
            kernel_initializer="he_normal",
            name=f"{prefix}_upsample",
        )(x)
        x = keras.layers.Concatenate(name=f"{prefix}_concat1")([x, skip])
        x = same_conv(x, width, name=f"{prefix}_conv1")
        x = keras.layers.Concatenate(name=f"{prefix}_concat2")([x, *more])
        x = same_conv(x, width, name=f"{prefix}_conv2")
    return keras.Model(image, mask_head(x, classes, kernel_size=3), name=name)


def _small_and_large(x: keras.KerasTensor, width: int, prefix: str) -> keras.KerasTensor:
    """Return two 1x1 and two 5x5 convolutions side by side: ``2 * width`` channels."""
    branches = []
    for kernel_size, branch in ((1, "small"), (5, "large")):
        y = same_conv(x, width, kernel_size, name=f"{prefix}_{branch}1")
        branches.append(same_conv(y, width, kernel_size, name=f"{prefix}_{branch}2"))
    return keras.layers.Concatenate(name=f"{prefix}_varied")(branches)


def _bottleneck(
    medium: keras.KerasTensor, varied: keras.KerasTensor, width: int
) -> keras.KerasTensor:
    """Return three branches of two convolutions side by side: ``3 * width`` channels."""
    branches = []
    for x, kernel_size, branch in ((medium, 3, "conv"), (varied, 1, "small"), (varied, 5, "large")):
        y = same_conv(x, width, kernel_size, name=f"bottleneck_{branch}1")
        branches.append(same_conv(y, width, name=f"bottleneck_{branch}2"))
    return keras.layers.Concatenate(name="bottleneck_concat")(branches)
