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


def need_answer(network: keras.Model, path: str) -> None:
    """Refuse a network whose output has the shape of neither a mask nor a row of classes.

    Args:
        network: flat, with one output.
        path: of its file, for messages.

    Raises:
        InputError: it has; the message says what to save instead.
    """
    _, *shape = network.output_shape
    _, height, width, _ = network.input_shape
    flat = len(shape) == 1 and shape[0] and shape[0] % (height * width) == 0
    if len(shape) not in (1, 3) or flat or not network.outputs[0].dtype.is_floating:
        raise InputError(
            f"{path}: ends in {network.outputs[0].dtype.name} {tuple(shape)}, neither a mask "
            "(height, width, regions) nor a row of classes; save it without its last layers, such "
            "as argmax or Reshape: keras.Model(model.input, model.layers[-2].output)"
        )
    if len(shape) == 3 and None not in shape and shape[0] * width != shape[1] * height:
        raise InputError(
            f"{path}: ends in {tuple(shape)}, no mask of {height} x {width} images; if channels "
            "come first, end it in keras.layers.Permute((2, 3, 1))"
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
