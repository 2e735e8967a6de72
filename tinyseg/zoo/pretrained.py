"""Transfer learning: weights of Keras Applications' ResNet and VGG in our networks.

Their files "without top" hold all layers but the dense ones at the end. They expect images as
Caffe read them: blue before green before red, 0 to 255, less the mean colour of ImageNet. Ours
are red, green, blue, 0 to 1. The difference goes into the first convolution, so that it costs
nothing; only the zeros padded around an image stand for black then, not for the mean colour.
"""

from __future__ import annotations

import logging

import h5py
import numpy as np
import tf_keras as keras

log = logging.getLogger(__name__)

_MEAN_BGR = np.array([103.939, 116.779, 123.68], np.float32)


def lacks_head(model: keras.Model, file: h5py.File) -> bool:
    """Return whether a weights file has the first layers of a network but not the last ones."""
    layers = [_text(name) for name in file.attrs.get("layer_names", ())]
    stored = {name for name in layers if len(file[name].attrs["weight_names"])}
    weighted = [layer.name for layer in model.layers if layer.weights]
    return 0 < len(stored) < len(weighted) and stored == set(weighted[: len(stored)])


def _text(name: str | bytes) -> str:
    """Return a name, which older versions of Keras store as bytes."""
    return name.decode() if isinstance(name, bytes) else name


def load_backbone(model: keras.Model, path: str) -> None:
    """Load the layers that a file of Keras Applications without top has.

    Args:
        model: a network of red, green, blue images in [0, 1], with the file's layer names.
        path: the file, in HDF5.

    Raises:
        ValueError: the layers have other shapes, or the image other channels.
    """
    model.load_weights(path, by_name=True)
    first = next(layer for layer in model.layers if layer.weights)
    kernel, bias = first.get_weights()
    bias = bias - np.tensordot(kernel.sum((0, 1)), _MEAN_BGR, ((0,), (0,)))
    first.set_weights([255 * kernel[:, :, ::-1], bias])
    log.warning(
        "%s: starts from %s but for its last layers, which start from random weights",
        model.name,
        path,
    )
