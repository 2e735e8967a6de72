"""The brain tumour project's classic U-Net."""

from __future__ import annotations

import tf_keras as keras

from tinyseg.zoo.blocks import double_conv, mask_head, same_conv
from tinyseg.zoo.blocks.arguments import check_sizes
from tinyseg.zoo.blocks.deployment import upsample


def classic_unet(
    input_shape: tuple[int, int, int] = (240, 240, 4),
    base_width: int = 32,
    depth: int = 4,
    classes: int = 1,
    deployable: bool = True,
    name: str = "classic_unet",
) -> keras.Model:
    """Build the U-Net of M. Tallone's deep-learning-project (2024) for brain tumours.

    After O. Ronneberger et al., "U-Net", 2015 (arXiv:1505.04597), with bilinear upsampling, and
    narrowed before each upsampling rather than after it. With four input channels and three
    classes it has 5,496,451 parameters, 1,375,043 at base width 16.

    Args:
        input_shape: height, width, channels; the sides are multiples of ``2**depth``.
        base_width: filters of the first stage; each further stage doubles them.
        depth: number of encoder stages, each followed by a pooling; at least 1.
        classes: output channels, each an independent sigmoid (labels may overlap); the seed has
            three.
        deployable: upsampling with half-pixel centres, which quantization-aware training knows;
            the seed's keeps the corners in place.
        name: of the model.

    Returns:
        Model from images float32 ``(batch, height, width, channels)`` to probabilities float32
        ``(batch, height, width, classes)``.

    Raises:
        ValueError: an argument is out of range.
    """
    check_sizes(input_shape, base_width, depth, classes)
    widths = [base_width * 2**stage for stage in range(depth)]
    image = keras.Input(input_shape, name="image")
    x, skips = image, []
    for stage, width in enumerate(widths, start=1):
        x = double_conv(x, width, name=f"encoder{stage}")
        skips.append(x)
        x = keras.layers.MaxPooling2D(2, name=f"encoder{stage}_pool")(x)
    x = same_conv(x, 2 * widths[-1], name="bottleneck_conv1")
    x = same_conv(x, widths[-1], name="bottleneck_conv2")
    for stage, skip in enumerate(reversed(skips), start=1):
        width = skip.shape[-1]
        x = upsample(x, "align_corners", deployable=deployable, name=f"decoder{stage}_upsample")
        x = keras.layers.Concatenate(name=f"decoder{stage}_concat")([x, skip])
        x = same_conv(x, width, name=f"decoder{stage}_conv1")
        x = same_conv(x, max(width // 2, base_width), name=f"decoder{stage}_conv2")
    return keras.Model(image, mask_head(x, classes), name=name)
