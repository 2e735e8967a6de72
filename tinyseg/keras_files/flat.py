"""Rebuild a functional network of either Keras as a flat one of Keras 2, in float32."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from tinyseg.errors import InputError
from tinyseg.keras_files.operation import Hole, KerasOperation

log = logging.getLogger(__name__)

_FOREIGN = re.compile(r"[^A-Za-z0-9_.-]")

# At inference they give what they get.
_IDLE = {
    "Dropout", "AlphaDropout", "GaussianDropout", "GaussianNoise", "ActivityRegularization",
    "SpatialDropout2D", "Identity", "RandomFlip", "RandomRotation", "RandomZoom",
    "RandomTranslation", "RandomContrast", "RandomBrightness", "RandomHeight", "RandomWidth",
    "RandomErasing", "RandomHue", "RandomSaturation", "RandomShear", "RandomInvert",
}  # fmt: skip
# Keys of Keras 3 that change nothing of what a layer computes at inference.
_INERT = {
    "dtype", "synchronized", "quantization_config", "lora_rank", "lora_alpha", "seed", "renorm",
    "renorm_clipping", "renorm_momentum", "data_format",
}  # fmt: skip
# Functions that have one name in both generations and compute different things.
_OTHERWISE = {"hard_sigmoid", "hard_silu", "hard_swish"}
_TOLERANCE = 1e-3
_KerasTensor = type(keras.Input((1,)))


def flatten(model: Any, shape: tuple[int, int, int], name: str) -> keras.Model:
    """Return a network of Keras 2 that computes what a network of either generation does.

    Nested networks are dissolved, layers that only act in training left out, Rescaling and
    Normalization become depthwise convolutions of 1 x 1. What Keras 2 has no twin of is wrapped.

    Args:
        model: functional or sequential, one input and one output.
        shape: height, width, channels of its input.
        name: of the network.

    Raises:
        InputError: it cannot be rebuilt, or computes something else then.
    """
    for twins in (True, False):
        flat = _Builder(twins).build(model, shape, name)
        if _agree(model, flat, shape):
            return flat
        log.debug("%s: the twin differs (twins=%s)", name, twins)
    raise InputError(
        f"{name}: computes something else when its layers are built anew; report this network"
    )


def fixed_batch(model: Any) -> int | None:
    """Return 1 for a network that takes one image at a time, as exported ones do; else None."""
    return 1 if model.inputs[0].shape[0] == 1 else None


def _agree(model: Any, flat: keras.Model, shape: tuple[int, int, int]) -> bool:
    images = np.random.default_rng(0).random((fixed_batch(model) or 2, *shape), np.float32)
    # Both ranges that are usual: a network that divides by 255 hardly sees the first one.
    for inputs in (images, 255 * images):
        wanted = np.asarray(model(inputs, training=False), np.float32)
        found = np.asarray(flat(inputs, training=False))
        largest = max(1.0, float(np.abs(wanted).max()))
        if wanted.shape != found.shape or not np.allclose(
            wanted, found, rtol=0, atol=_allowed(model) * largest
        ):
            return False
    return True


def _allowed(model: Any) -> float:
    """Return the difference that is rounding: more where the network itself computes in float16."""
    narrow = any("16" in str(getattr(layer, "compute_dtype", "")) for layer in model.layers)
    return 5e-2 if narrow else _TOLERANCE


def steps(model: Any) -> Iterator[tuple[Any, Any, Any, list[Any]]]:
    """Yield layer or function, arguments and outputs of each call, in an order that can run."""
    model = getattr(model, "_functional", None) or model
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            if node.is_input:
                continue
            if hasattr(node, "operation"):
                arguments = node.arguments
                yield node.operation, arguments.args, arguments.kwargs, list(node.outputs)
            else:
                yield node.layer, node.call_args, node.call_kwargs, tf.nest.flatten(node.outputs)


def is_graph(model: Any) -> bool:
    """Return whether a layer is a network whose layers are known."""
    model = getattr(model, "_functional", None) or model
    return isinstance(getattr(model, "_nodes_by_depth", None), dict)


class _Builder:
    """Builds the layers of a network anew.

    Args:
        twins: take layers of Keras 2 for those of Keras 3 where it has some of that name.
    """

    def __init__(self, twins: bool) -> None:
        self._twins = twins
        self._names: set[str] = set()
        self._made: dict[int, keras.layers.Layer] = {}

    def build(self, model: Any, shape: tuple[int, int, int], name: str) -> keras.Model:
        entry = model.inputs[0]
        title = self._free(str(getattr(entry, "name", "image")).split(":")[0] or "image")
        image = keras.Input(shape, batch_size=fixed_batch(model), name=title)
        (result,) = self._run(model, [image])
        if result is image:
            raise InputError(f"{name}: has no layers; nothing can be quantized")
        return keras.Model(image, result, name=name)

    def _run(self, model: Any, tensors: list[Any], path: str = "") -> list[Any]:
        """Call the layers of a network on new tensors."""
        known = {id(old): new for old, new in zip(model.inputs, tensors, strict=True)}

        def new(value: Any) -> Any:
            return known.get(id(value), value)

        for layer, args, kwargs, outputs in steps(model):
            args = tf.nest.map_structure(new, list(args))
            kwargs = {
                key: tf.nest.map_structure(new, value)
                for key, value in kwargs.items()
                if value is not None and key not in ("training", "mask")
            }
            made = self._call(layer, args, kwargs, path)
            for old, tensor in zip(outputs, tf.nest.flatten(made), strict=True):
                known[id(old)] = tensor
        return [known[id(old)] for old in model.outputs]

    def _call(self, layer: Any, args: list[Any], kwargs: dict[str, Any], path: str) -> Any:
        kind = type(layer).__name__
        try:
            if is_graph(layer):
                tensors = [x for x in tf.nest.flatten((args, kwargs)) if _is_tensor(x)]
                return self._run(layer, tensors, f"{path}{layer.name}_")
            if kind in _IDLE:
                return args[0]
            if (plain := self._plain(layer, kind, args[0], path)) is not None:
                return plain
            if isinstance(layer, keras.layers.Layer) or (self._twins and _has_twin(layer)):
                twin = self._made.get(id(layer)) or self._anew(layer, path)
                self._made[id(layer)] = twin
                result = twin(*args, **kwargs)
                if layer.get_weights():
                    twin.set_weights(layer.get_weights())
                return result
        except (TypeError, ValueError, KeyError, NotImplementedError) as error:
            if isinstance(layer, keras.layers.Layer) or is_graph(layer):
                reason = " ".join(str(error).split())[:150]
                raise InputError(
                    f"layer '{layer.name}' ({kind}) cannot be built for this size ({reason}); give "
                    "another --size, or save the network with the size it is to have"
                ) from None
            log.debug("%s (%s) has no twin: %s", layer.name, kind, error)
            self._made.pop(id(layer), None)
        return self._wrapped(layer, args, kwargs, path)

    def _anew(self, layer: Any, path: str) -> keras.layers.Layer:
        """Return a layer of Keras 2 with the configuration of one of either generation."""
        config = dict(layer.get_config())
        name = self._free(path + config["name"])
        if isinstance(layer, keras.layers.Layer):
            # What computes in float16 would lose more than integers do.
            config |= {"name": name, "dtype": "float32"}
            return layer.__class__.from_config(config)
        config = {
            key: value
            for key, value in config.items()
            if key not in _INERT
            and not key.endswith(("_initializer", "_regularizer", "_constraint"))
        }
        if type(layer).__name__ == "LeakyReLU":
            config["alpha"] = config.pop("negative_slope")
        return getattr(keras.layers, type(layer).__name__).from_config({**config, "name": name})

    def _plain(self, layer: Any, kind: str, x: Any, path: str) -> Any:
        """Return the output of a layer that another one, better known, computes too; else None."""
        if not _is_tensor(x):
            return None
        if kind == "Flatten" and None not in x.shape[1:] and _is_last(layer):
            return keras.layers.Reshape((-1,), name=self._free(path + layer.name))(x)
        if kind == "Softmax" and layer.get_config()["axis"] in (-1, len(x.shape) - 1):
            return keras.layers.Activation("softmax", name=self._free(path + layer.name))(x)
        if kind in ("Rescaling", "Normalization") and (affine := _affine(layer, x)):
            return self._depthwise(layer, x, affine, path)
        return None

    def _depthwise(
        self, layer: Any, x: Any, affine: tuple[np.ndarray, np.ndarray], path: str
    ) -> Any:
        made = keras.layers.DepthwiseConv2D(1, name=self._free(path + layer.name))
        y = made(x)
        scale, offset = affine
        made.set_weights([scale.reshape(1, 1, -1, 1), offset])
        return y

    def _wrapped(self, layer: Any, args: list[Any], kwargs: dict[str, Any], path: str) -> Any:
        tensors: list[Any] = []

        def dig(value: Any) -> Any:
            if not _is_tensor(value):
                return value
            tensors.append(value)
            return Hole(len(tensors) - 1)

        args, kwargs = tf.nest.map_structure(dig, (args, kwargs))
        made = KerasOperation(layer, args, kwargs, self._free(path + layer.name))
        return made(tensors if len(tensors) > 1 else tensors[0])

    def _free(self, name: str) -> str:
        """Return a name that no layer has yet, of letters that TensorFlow takes in names."""
        name, number = _FOREIGN.sub("_", name), 1
        name = name if name[:1].isalnum() else f"layer{name}"
        free = name
        while free in self._names:
            number += 1
            free = f"{name}_{number}"
        self._names.add(free)
        return free


def _is_tensor(value: Any) -> bool:
    """Return whether a value stands for one that comes when the network runs."""
    return isinstance(value, _KerasTensor)


def _is_last(layer: Any) -> bool:
    return layer.get_config().get("data_format") != "channels_first"


def _has_twin(layer: Any) -> bool:
    """Return whether Keras 2 has a layer that computes what one of Keras 3 does."""
    if not hasattr(layer, "stateless_call") or not hasattr(keras.layers, type(layer).__name__):
        return False
    if not type(layer).__module__.startswith("keras.") or type(layer).__name__ == "Lambda":
        return False
    config = layer.get_config()
    if config.get("data_format") == "channels_first":
        return False
    activations = [value for key, value in config.items() if key.endswith("activation")]
    return all(isinstance(a, str | None) and a not in _OTHERWISE for a in activations)


def _affine(layer: Any, x: Any) -> tuple[np.ndarray, np.ndarray] | None:
    """Return factor and summand of each channel; None where they are not one for each channel."""
    channels = x.shape[-1]
    if len(x.shape) != 4 or channels is None:
        return None
    if type(layer).__name__ == "Rescaling":
        parts = np.asarray(layer.scale, np.float64), np.asarray(layer.offset, np.float64)
    else:
        mean, variance = (np.asarray(value, np.float64) for value in (layer.mean, layer.variance))
        factor = 1 / np.maximum(np.sqrt(variance), keras.backend.epsilon())
        parts = factor, -mean * factor
        if getattr(layer, "invert", False):
            return None
    if any(part.size not in (1, channels) for part in parts):
        return None
    scale, offset = (np.broadcast_to(part.reshape(-1), channels) for part in parts)
    return scale.astype(np.float32), offset.astype(np.float32)
