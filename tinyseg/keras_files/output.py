"""What a network ends with: probabilities, or scores that become some."""

from __future__ import annotations

import logging
from typing import Any

import tf_keras as keras

from tinyseg.errors import InputError

log = logging.getLogger(__name__)

_PROBABILITIES = ("sigmoid", "softmax")
# They move or resize values, and change what they mean as little as pooling does.
_PASSING = (
    keras.layers.Reshape,
    keras.layers.Flatten,
    keras.layers.Permute,
    keras.layers.UpSampling2D,
    keras.layers.Resizing,
    keras.layers.Cropping2D,
    keras.layers.ZeroPadding2D,
)


def with_probabilities(network: keras.Model, path: str) -> keras.Model:
    """Return a network that ends in probabilities: with a sigmoid or softmax if it ends in scores.

    Args:
        network: flat, with one output.
        path: of its file, for messages.

    Raises:
        InputError: it ends in scores of several channels of a mask, or in something else.
    """
    activation, layer = _ending(network)
    channels, masks = network.output_shape[-1], len(network.output_shape) == 4
    if activation is None or activation in _PROBABILITIES:
        return network
    if activation != "linear":
        raise InputError(
            f"{path}: ends in {activation} (layer '{layer}'), which gives no probabilities; end it "
            "in a sigmoid or softmax"
        )
    if masks and channels > 1:
        raise InputError(
            f"{path}: ends in {channels} channels of scores (layer '{layer}'), and whether they "
            "exclude each other is not said; save keras.Model(model.input, keras.layers.Activation"
            "('softmax')(model.output)), or the same with 'sigmoid'"
        )
    added = "sigmoid" if channels == 1 else "softmax"
    log.info("%s: ends in scores (layer '%s'); a %s is added", path, layer, added)
    made = keras.layers.Activation(added, name=f"{layer}_{added}")
    return keras.Model(network.inputs, made(network.outputs[0]), name=network.name)


def _ending(network: keras.Model) -> tuple[str | None, str]:
    """Return the activation that a network ends in, and of which layer; None if not known."""
    tensor = network.outputs[0]
    while True:
        layer: Any = tensor.node.layer
        sources = tensor.node.keras_inputs
        if isinstance(layer, _PASSING) and len(sources) == 1:
            tensor = sources[0]
            continue
        function = getattr(layer, "activation", None)
        if function is not None:
            return getattr(function, "__name__", None), layer.name
        if isinstance(layer, keras.layers.ReLU | keras.layers.LeakyReLU | keras.layers.ELU):
            return "relu", layer.name
        if isinstance(layer, keras.layers.Add | keras.layers.BatchNormalization):
            return "linear", layer.name
        return None, layer.name
