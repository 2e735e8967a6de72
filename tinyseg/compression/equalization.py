"""Cross-layer equalization: give the channels of a feature map equal ranges before quantization.

M. Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019
(arXiv:1906.04721). A ReLU passes positive factors through, so a channel can be divided by one where
it is made and multiplied by it where it is used: the float network computes the same, and a channel
of small values no longer drowns in the rounding of a large one. Here the factors come from the
activations of calibration images, and pass through pooling, resizing and concatenation too: a
U-Net without normalization joins skips of small values with large ones on one scale.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import tf_keras as keras

from tinyseg.compression.folding import CONVOLUTIONS, Layer, fold
from tinyseg.errors import InputError
from tinyseg.zoo.blocks.residual_binarization import ResidualSign

# Operators that act on each channel alone and let positive factors through.
_TRANSPARENT = (
    keras.layers.MaxPooling2D,
    keras.layers.AveragePooling2D,
    keras.layers.UpSampling2D,
    keras.layers.ZeroPadding2D,
    keras.layers.ReLU,
    keras.layers.Concatenate,
)
_BATCH = 8
# Channels below this share of the largest are as good as empty.
_EMPTY = 1e-6


def equalize(model: keras.Model, calibration: np.ndarray) -> keras.Model:
    """Return a network of the same float outputs whose feature maps have equal channel ranges.

    Maps that a sum, a product or the output uses stay as they are.

    Args:
        model: trained network.
        calibration: network inputs float32 ``(images, height, width, channels)``.

    Returns:
        The network as :func:`tinyseg.compression.folding.fold` gives it, with other weights.

    Raises:
        InputError: a layer cannot be folded, or is a residual sign; the message names it.
    """
    for layer in model.layers:
        if isinstance(layer, ResidualSign):
            raise InputError(
                f"{layer.name}: residual signs have ranges of their own; "
                "leave quantization.equalize off"
            )
    folded = fold(model)
    producers = {}
    for layer in folded.layers:
        if type(layer) in CONVOLUTIONS and layer.activation in (
            keras.activations.linear,
            keras.activations.relu,
        ):
            found = list(_users(folded, layer))
            users = [user for user in found if user is not None]
            if users and len(users) == len(found):
                producers[layer] = users
    for (layer, users), ranges in zip(
        producers.items(), _ranges(folded, list(producers), calibration), strict=True
    ):
        used = ranges > _EMPTY * ranges.max(initial=0)
        factors = np.where(used, ranges, 1).astype(np.float32)
        _divide_outputs(layer, factors)
        for user, first in users:
            _multiply_inputs(user, first, factors)
    return folded


def _users(model: keras.Model, layer: Layer, first: int = 0) -> Iterator[tuple[Layer, int] | None]:
    """Yield convolutions that use a layer's output, and at which input channel it begins there.

    Yields None for a use that does not let factors through.
    """
    if any(layer.output is output for output in model.outputs):
        yield None
    for node in dict.fromkeys(layer.outbound_nodes):
        user = node.layer
        if type(user) in CONVOLUTIONS:
            yield user, first
        elif isinstance(user, keras.layers.Concatenate):
            yield from _through_concatenation(model, layer, node, first)
        elif isinstance(user, _TRANSPARENT) and _is_homogeneous(user):
            yield from _users(model, user, first)
        else:
            yield None


def _through_concatenation(
    model: keras.Model, layer: Layer, node: keras.engine.node.Node, first: int
) -> Iterator[tuple[Layer, int] | None]:
    if node.layer.axis not in (-1, 3):
        yield None
        return
    before = 0
    for tensor in node.keras_inputs:
        if tensor is layer.output:
            yield from _users(model, node.layer, before + first)
        before += tensor.shape[-1]


def _is_homogeneous(layer: Layer) -> bool:
    if isinstance(layer, keras.layers.ReLU):
        return layer.max_value is None and not layer.threshold
    return True


def _ranges(model: keras.Model, layers: list[Layer], calibration: np.ndarray) -> list[np.ndarray]:
    """Return the largest magnitude of each channel of each layer's output, ``(channels,)``."""
    if not layers:
        return []
    probe = keras.Model(model.inputs, {layer.name: layer.output for layer in layers})
    largest: dict[str, np.ndarray] = {layer.name: np.zeros((), np.float32) for layer in layers}
    for start in range(0, len(calibration), _BATCH):
        outputs = probe(calibration[start : start + _BATCH], training=False)
        for name, output in outputs.items():
            largest[name] = np.maximum(largest[name], np.abs(output).max((0, 1, 2)))
    return [largest[layer.name] for layer in layers]


def _divide_outputs(layer: Layer, factors: np.ndarray) -> None:
    kernel, *bias = layer.get_weights()
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        kernel = kernel / factors.reshape(kernel.shape[2:])
    elif isinstance(layer, keras.layers.Conv2DTranspose):
        kernel = kernel / factors[:, None]
    else:
        kernel = kernel / factors
    layer.set_weights([kernel, *(values / factors for values in bias)])


def _multiply_inputs(layer: Layer, first: int, factors: np.ndarray) -> None:
    kernel, *bias = layer.get_weights()
    # The input's channels are on the third axis, but for transposed convolutions.
    axis = 3 if isinstance(layer, keras.layers.Conv2DTranspose) else 2
    view = np.moveaxis(kernel, axis, -1)
    view[..., first : first + len(factors)] *= factors
    layer.set_weights([kernel, *bias])
