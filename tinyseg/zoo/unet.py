"""The U-Net family of BLU-Net: the teacher, its lightweight student, and their common shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import tf_keras as keras

from tinyseg.zoo.blocks import mask_head, normalized_conv, same_conv
from tinyseg.zoo.blocks.arguments import check_sizes, dropout_rates


def unet(
    input_shape: tuple[int, int, int] = (256, 256, 1),
    base_width: int = 64,
    depth: int = 4,
    classes: int = 1,
    dropout: float | Sequence[float] = 0.0,
    name: str = "unet",
) -> keras.Model:
    """Build the U-Net that BLU-Net learns from.

    As in BLU-Net (C. Zhang, MSc thesis, 2022) and DeLTA 2.0, whose weights it takes: ReLU, no
    batch normalization, nearest upsampling followed by a 2x2 convolution. With one input channel
    it has 31,030,593 parameters. After O. Ronneberger et al., "U-Net", 2015 (arXiv:1505.04597),
    which has VALID padding and transposed convolutions.

    Args:
        input_shape: height, width, channels; the sides are multiples of ``2**depth``.
        base_width: filters of the first stage; each further stage doubles them.
        depth: number of encoder stages, each followed by a pooling; at least 1.
        classes: output channels, each an independent sigmoid (labels may overlap).
        dropout: rate in [0, 1) between the two convolutions of all stages, or one for each of
            the ``2 * depth + 1`` stages from the input to the output.
        name: of the model.

    Returns:
        Model from images float32 ``(batch, height, width, channels)`` to probabilities float32
        ``(batch, height, width, classes)``.

    Raises:
        ValueError: an argument is out of range.
    """
    return u_shape(
        input_shape, base_width, depth, classes, dropout, name, conv=same_conv, head=mask_head
    )


def lw_unet(
    input_shape: tuple[int, int, int] = (256, 256, 1),
    base_width: int = 64,
    depth: int = 4,
    classes: int = 1,
    dropout: float | Sequence[float] = 0.0,
    normalized: bool = False,
    name: str = "lw_unet",
) -> keras.Model:
    """Build BLU-Net's lightweight U-Net: :func:`unet` with depthwise separable convolutions.

    The first stage and the output keep ordinary ones. Layers have the names of their
    counterparts in :func:`unet`. With one input channel it has 3,933,633 parameters.

    Args:
        input_shape, base_width, depth, classes, dropout, name: as of :func:`unet`.
        normalized: a batch normalization follows each convolution but the last, which BLU-Net
            has not. It helps training and costs nothing after it: quantization folds it.

    Returns:
        Model as of :func:`unet`.

    Raises:
        ValueError: an argument is out of range.
    """

    def conv(
        x: keras.KerasTensor, filters: int, kernel_size: int = 3, *, name: str
    ) -> keras.KerasTensor:
        apply = normalized_conv if normalized else same_conv
        return apply(x, filters, kernel_size, name=name, separable=not in_first_stage(name))

    return u_shape(
        input_shape, base_width, depth, classes, dropout, name, conv=conv, head=mask_head
    )


def in_first_stage(name: str) -> bool:
    """Return whether a layer is of the first encoder stage, whose convolutions stay ordinary."""
    return name.startswith("encoder1_")


class Convolution(Protocol):
    """A SAME convolution with bias and activation."""

    def __call__(
        self, x: keras.KerasTensor, filters: int, kernel_size: int = 3, *, name: str
    ) -> keras.KerasTensor:
        """Return ``(batch, height, width, filters)``."""


class Head(Protocol):
    """What turns features into masks."""

    def __call__(self, x: keras.KerasTensor, classes: int) -> keras.KerasTensor:
        """Return probabilities ``(batch, height, width, classes)``."""


def u_shape(
    input_shape: tuple[int, int, int],
    base_width: int,
    depth: int,
    classes: int,
    dropout: float | Sequence[float],
    name: str,
    *,
    conv: Convolution,
    head: Head,
) -> keras.Model:
    """Build the graph that ``unet``, ``lw_unet`` and ``blu_net`` share.

    Layers that do the same have the same name in all of them. Decoder stages are numbered from
    the bottleneck up, ``decoder1_upsample`` being the first one's 2x2 convolution.

    Args:
        input_shape, base_width, depth, classes, dropout, name: as of :func:`unet`.
        conv: makes every convolution but the last.
        head: makes the last.

    Returns:
        Model as of :func:`unet`.
    """
    check_sizes(input_shape, base_width, depth, classes)
    rates = iter(dropout_rates(dropout, depth))

    def stage(x: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
        x = conv(x, filters, name=f"{name}_conv1")
        if rate := next(rates):
            x = keras.layers.Dropout(rate, name=f"{name}_dropout")(x)
        return conv(x, filters, name=f"{name}_conv2")

    image = keras.Input(input_shape, name="image")
    x, skips = image, []
    for level in range(depth):
        x = stage(x, base_width * 2**level, f"encoder{level + 1}")
        skips.append(x)
        x = keras.layers.MaxPooling2D(2, name=f"encoder{level + 1}_pool")(x)
    x = stage(x, base_width * 2**depth, "bottleneck")
    for level, skip in enumerate(reversed(skips), start=1):
        filters = skip.shape[-1]
        x = keras.layers.UpSampling2D(2, interpolation="nearest", name=f"decoder{level}_resize")(x)
        x = conv(x, filters, 2, name=f"decoder{level}_upsample")
        x = keras.layers.Concatenate(name=f"decoder{level}_concat")([skip, x])
        x = stage(x, filters, f"decoder{level}")
    return keras.Model(image, head(x, classes), name=name)
