"""From a trained network with ReLU to its residual-binarized counterpart.

BLU-Net (C. Zhang, MSc thesis, 2022) copies the kernels and leaves it to training that signs
have taken the place of ReLU. Here the copy computes nearly what the original did: a ReLU whose
outputs lie in [0, R] is R / 2 * (1 + s), where s is the residual sign of (x - R / 2) / (R / 2)
with evenly spaced levels, and shift and scale go into the convolutions around it. Training starts
from there. Only at the borders of the maps does a network whose signs are not ``positive`` differ,
for there padding is R / 2 to it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tf_keras as keras

from tinyseg.errors import InputError
from tinyseg.zoo.blocks.residual_binarization import ResidualSign
from tinyseg.zoo.blocks.residual_binary_convolution import ResidualBinaryKernels

# Clipping ranges that are tried, as shares of the largest output of a ReLU.
_RANGES = np.linspace(0.1, 1.0, 19)
_TRANSPARENT = (keras.layers.MaxPooling2D, keras.layers.UpSampling2D, keras.layers.Dropout)
_SAMPLE = 200_000


class _Scale(NamedTuple):
    """What a value z of the binarized network means: gain * z + shift, by channel."""

    gain: np.ndarray
    shift: np.ndarray


def is_binarized(model: keras.Model) -> bool:
    """Return whether a network has residual-binarized kernels or activations."""
    return any(isinstance(layer, ResidualSign | ResidualBinaryKernels) for layer in model.layers)


def transfer_weights(source: keras.Model, target: keras.Model, calibration: np.ndarray) -> None:
    """Give a binarized network the function of a trained one, as far as its levels allow.

    Args:
        source: trained, such as ``lw_unet``; its convolutions have ReLU, the last a sigmoid.
        target: network with layers of the same names, such as ``blu_net``; is changed.
        calibration: network inputs float32 ``(images, height, width, channels)``; they show the
            range of each ReLU.

    Raises:
        InputError: a layer has no counterpart, or one of another shape; the message names it.
    """
    by_name = {layer.name: layer for layer in source.layers}
    convolutions = [layer for layer in target.layers if isinstance(layer, ResidualBinaryKernels)]
    if not convolutions:
        raise InputError(f"{target.name}: has no binarized layers; choose blu_net")
    for layer in convolutions:
        _check_counterpart(layer, by_name.get(layer.name), source.name)
    outputs = _sample_outputs(source, [layer.name for layer in convolutions], calibration)
    scales: dict[str, _Scale] = {}
    for layer in target.layers:
        scales[layer.name] = _transfer(layer, by_name, outputs, scales)


def _check_counterpart(
    layer: keras.layers.Layer, original: keras.layers.Layer | None, network: str
) -> None:
    if original is None:
        raise InputError(
            f"{layer.name}: {network} has no such layer; start blu_net from lw_unet, or with "
            "separable=false from unet, of the same depth"
        )
    shapes = [weight.shape for weight in original.get_weights()]
    if shapes != [weight.shape for weight in layer.get_weights()[: len(shapes)]]:
        raise InputError(
            f"{layer.name}: {network}'s weights are {shapes[0]}, not "
            f"{layer.get_weights()[0].shape}; give both the same base width and channels; "
            "unet's counterpart has separable=false"
        )


def _transfer(
    layer: keras.layers.Layer,
    originals: dict[str, keras.layers.Layer],
    outputs: dict[str, np.ndarray],
    scales: dict[str, _Scale],
) -> _Scale:
    """Set a layer's weights; return what its output means."""
    if isinstance(layer, keras.layers.InputLayer):
        channels = layer.output_shape[0][-1]
        return _Scale(np.ones(channels), np.zeros(channels))
    sources = [scales[node.layer.name] for node in layer.inbound_nodes[0].parent_nodes]
    if isinstance(layer, keras.layers.Concatenate):
        return _Scale(*(np.concatenate(parts) for parts in zip(*sources, strict=True)))
    if isinstance(layer, _TRANSPARENT):
        return sources[0]
    if isinstance(layer, ResidualSign):
        # The convolution before it was scaled so that its ReLU's range is -1..1 here.
        ladder = 2.0 ** np.arange(layer.levels - 1, -1, -1)
        layer.set_weights([ladder / ladder.sum()])
        return sources[0]
    if not isinstance(layer, ResidualBinaryKernels):
        raise InputError(
            f"{layer.name}: binarize does not know {type(layer).__name__}; choose blu_net"
        )
    channels = layer.output_shape[-1]
    sign = layer.outbound_nodes[0].layer if layer.outbound_nodes else None
    if not isinstance(sign, ResidualSign):
        _set_kernels(layer, originals[layer.name], sources[0], 1.0, 0.0)
        return _Scale(np.ones(channels), np.zeros(channels))
    half = _range(outputs[layer.name], sign.levels) / 2
    _set_kernels(layer, originals[layer.name], sources[0], half, half)
    return _Scale(np.full(channels, half), np.full(channels, 0.0 if sign.positive else half))


def _set_kernels(
    layer: keras.layers.Layer,
    original: keras.layers.Layer,
    inputs: _Scale,
    unit: float,
    middle: float,
) -> None:
    """Set kernels and bias so that the output is (the original's - middle) / unit."""
    *kernels, bias = original.get_weights()
    kernels[0] = kernels[0] * inputs.gain.reshape(-1, 1)
    kernels[-1] = kernels[-1] / unit
    gammas = layer.get_weights()[len(kernels) + 1 :]
    layer.set_weights([*kernels, bias, *gammas])
    layer.fit_gammas()
    # With the binarized kernels: then what was zero, most of a map, goes on having no effect.
    kernels = list(layer.binarized_kernels().values())
    moved = kernels[0] * (inputs.shift / inputs.gain).reshape(-1, 1)
    if len(kernels) == 2:
        # Channel by channel, then across channels; (height, width, inputs, multiplier).
        offset = moved.sum((0, 1)).reshape(-1) @ kernels[1][0, 0]
    else:
        offset = moved.sum((0, 1, 2))
    layer.bias.assign((bias - middle) / unit + offset)


def _range(outputs: np.ndarray, levels: int) -> float:
    """Return the clipping range with the least squared error of evenly spaced levels."""
    largest = float(outputs.max())
    if largest <= 0:
        return 1.0
    steps = 2**levels - 1

    def error(limit: float) -> float:
        rounded = np.round(np.minimum(outputs, limit) / limit * steps) * (limit / steps)
        return float(np.square(rounded - outputs).mean())

    return min((share * largest for share in _RANGES), key=error)


def _sample_outputs(
    model: keras.Model, names: list[str], images: np.ndarray
) -> dict[str, np.ndarray]:
    """Return values of layers' outputs, at most some thousand of each."""
    probe = keras.Model(model.inputs, [model.get_layer(name).output for name in names])
    rng = np.random.default_rng(0)
    outputs = tf.nest.flatten(probe.predict(images, batch_size=4, verbose=0))
    return {
        name: rng.choice(values.ravel(), min(_SAMPLE, values.size), replace=False)
        for name, values in zip(names, outputs, strict=True)
    }
