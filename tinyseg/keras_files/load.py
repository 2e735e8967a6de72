"""Open a Keras model of the user's: what it computes, and what its layers say of its input."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tf_keras as keras

from tinyseg.errors import InputError
from tinyseg.keras_files import description, safety
from tinyseg.keras_files.flat import flatten, is_graph, steps
from tinyseg.keras_files.graph import read_graph
from tinyseg.keras_files.operation import keras3
from tinyseg.keras_files.output import need_answer, with_probabilities

_MOST_CHANNELS = 4

log = logging.getLogger(__name__)

Shape = tuple[int | None, int | None, int | None]
# A factor below it, or a mean above it, is meant for pixels of 0 to 255.
_PIXEL_FACTOR = 1 / 64
_PIXEL_MEAN = 3


class Opened(NamedTuple):
    """A model as it was saved.

    Attributes:
        model: of Keras 2 or 3, or a :class:`tinyseg.keras_files.graph.SavedGraph`.
        shape: height, width and channels of its input; None where it takes any.
        path: of the file, or the name of a model in memory, for messages.
    """

    model: Any
    shape: Shape
    path: str


def open_model(path: str | Path, unsafe: bool = False) -> Opened:
    """Open a model file without running code of its author.

    Args:
        path: ``.keras``, ``.h5`` or the folder of a SavedModel.
        unsafe: run Lambda layers and whatever else the file holds.

    Raises:
        InputError: the file is damaged, holds code or custom classes, or is not of one image.
    """
    path = Path(path)
    described = description.read(path)
    if described.config is None:
        graph = read_graph(path, unsafe)
        return Opened(graph, _image_shape(path, graph.image_shape), str(path))
    if not unsafe:
        safety.check_safety(described.config, path)
    try:
        model = _saved(path, described, unsafe)
    # Whatever Keras raises on a file: it has no error of its own for a damaged one.
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{path}: Keras {described.generation} cannot open it ({reason}); save it again with "
            "the Keras that made it"
        ) from None
    return opened(model, str(path))


def opened(model: Any, path: str) -> Opened:
    """Check a model of Keras 2 or 3: one image in, one output, layers that are known.

    Raises:
        InputError: it is something else.
    """
    if not is_graph(model) or not getattr(model, "inputs", None):
        raise InputError(
            f"{path}: its layers are not known (a subclassed model, or one without an Input); "
            "build it from keras.Input and layers"
        )
    if len(model.inputs) != 1:
        names = ", ".join(getattr(tensor, "name", "?") for tensor in model.inputs)
        raise InputError(
            f"{path}: has {len(model.inputs)} inputs ({names}); one image is supported: let it "
            "take them as channels of one"
        )
    if len(model.outputs) != 1:
        names = ", ".join(str(name) for name in getattr(model, "output_names", ()))
        raise InputError(
            f"{path}: has {len(model.outputs)} outputs ({names}); one is supported: save "
            "keras.Model(model.inputs[0], model.outputs[0])"
        )
    return Opened(model, _image_shape(path, tuple(model.inputs[0].shape)), path)


def flat_network(source: Opened, shape: tuple[int, int, int], name: str) -> keras.Model:
    """Return the flat network of Keras 2 in float32, see :func:`tinyseg.keras_files.flat.flatten`.

    Args:
        source: the model.
        shape: height, width, channels of the images.
        name: of the network.

    Raises:
        InputError: it cannot be built for this shape, or holds NaN or infinite weights.
    """
    keras.mixed_precision.set_global_policy("float32")
    try:
        if isinstance(source.model, keras.layers.Layer) and not is_graph(source.model):
            batch = 1 if source.model.image_shape[0] == 1 else None
            image = keras.Input(shape, batch_size=batch, name="image")
            network = keras.Model(image, source.model(image), name=name)
        else:
            network = flatten(source.model, shape, name)
    except InputError as error:
        raise InputError(f"{source.path}: {error}") from None
    except (ValueError, TypeError, tf.errors.OpError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{source.path}: cannot be built for images of {shape} ({reason}); give another --size"
        ) from None
    need_answer(network, source.path)
    network = with_probabilities(network, source.path)
    if not all(np.isfinite(weight).all() for weight in network.get_weights()):
        raise InputError(f"{source.path}: holds NaN or infinite weights; train it again")
    return network


def pixel_range(source: Opened) -> tuple[float, float, str] | None:
    """Return what the first layers say of the input's range.

    Returns:
        Factor and summand that pixels 0..255 get before the network, and which layer says so; None
        if none does.
    """
    if not is_graph(source.model):
        return None
    taken: set[int] = {id(source.model.inputs[0])}
    for layer, args, kwargs, outputs in steps(source.model):
        tensors = [value for value in tf.nest.flatten((args, kwargs)) if id(value) in taken]
        if not tensors:
            continue
        said = _says(layer, args, kwargs)
        if said is not None:
            return (1.0, 0.0, layer.name) if said else (1 / 255, 0.0, layer.name)
        if is_graph(layer):
            return pixel_range(Opened(layer, source.shape, source.path))
        if getattr(layer, "weights", None):
            return None
        taken.update(id(output) for output in outputs)
    return None


def _says(layer: Any, args: Any, kwargs: Any) -> bool | None:
    """Return whether a layer takes 0..255, or 0..1; None if it says neither."""
    kind = type(layer).__name__
    if kind == "Rescaling":
        return bool(np.max(np.abs(np.asarray(layer.scale))) <= _PIXEL_FACTOR)
    if kind == "Normalization":
        if layer.mean is None:
            return None
        deviation = np.sqrt(np.asarray(layer.variance))
        return bool(max(np.abs(np.asarray(layer.mean)).max(), deviation.max()) > _PIXEL_MEAN)
    constants = [
        np.abs(np.asarray(value, np.float64)).max()
        for value in [*args[1:], *kwargs.values()]
        if isinstance(value, int | float | list | tuple | np.ndarray | tf.Tensor)
        and np.asarray(value).dtype.kind in "iuf"
        and np.asarray(value).size
    ]
    name = layer.name.lower()
    if not constants:
        return None
    if "divide" in name or "truediv" in name:
        return bool(max(constants) >= 1 / _PIXEL_FACTOR)
    if "multiply" in name or "mul" in name:
        return bool(max(constants) <= _PIXEL_FACTOR) or None
    if "subtract" in name or "add" in name:
        return bool(max(constants) > _PIXEL_MEAN) or None
    return None


def _saved(path: Path, described: description.Description, unsafe: bool) -> Any:
    if path.is_dir():
        model = keras.models.model_from_json(json.dumps(described.config))
        model.load_weights(str(path / "variables/variables")).assert_existing_objects_matched()
        return model
    generation = keras if described.generation == 2 else keras3()
    if described.generation == 2 and path.suffix != ".keras":
        return generation.models.load_model(str(path), compile=False)
    return generation.models.load_model(str(path), compile=False, safe_mode=not unsafe)


def _image_shape(path: str | Path, shape: tuple[int | None, ...]) -> Shape:
    if len(shape) != 4 or shape[3] is None:
        raise InputError(
            f"{path}: takes {shape}; one image (height, width, channels) is what can be quantized"
        )
    _, height, width, channels = shape
    if height in (1, 3, 4) and channels == width and channels is not None and channels > 4:
        raise InputError(
            f"{path}: takes {shape[1:]}, channels first; save keras.Model(image, model("
            f"keras.layers.Permute((3, 1, 2))(image))) of image = keras.Input(({width}, "
            f"{channels}, {height}))"
        )
    if channels is not None and channels > _MOST_CHANNELS:
        raise InputError(
            f"{path}: takes images of {channels} channels; those that are read have at most "
            f"{_MOST_CHANNELS}"
        )
    return height, width, channels
