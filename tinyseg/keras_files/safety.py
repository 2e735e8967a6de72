"""Which parts of a Keras file are known, and which would run code of the file's author.

A description names classes and functions; Keras would look them up, and of a Lambda layer or a
pickled module run what the file holds. So everything is held against lists first.
"""

from __future__ import annotations

import functools
import types
from typing import Any

from tinyseg.errors import InputError
from tinyseg.keras_files.description import OptionError, objects
from tinyseg.keras_files.operation import keras3

# They hold code, load other files, or run what a file names.
_CODE = {"Lambda", "__lambda__", "TorchModuleWrapper", "FlaxLayer", "JaxLayer", "TensorFlowOpLayer"}
_LOADING = {"TFSMLayer", "StringLookup", "IntegerLookup", "TextVectorization"}
_PLAIN = {
    "__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__",
    "__tuple__", "__typespec__", "TensorShape", "TypeSpec", "Functional", "Model", "Sequential",
    "TFOpLambda", "SlicingOpLambda", "DTypePolicy", "Policy", "FloatDTypePolicy", "DTypePolicyMap",
}  # fmt: skip
# Where TensorFlow's functions without effects lie, that a network of Keras 2 may name.
_FUNCTIONS = ("math.", "nn.", "linalg.", "__operators__.", "image.resize", "keras.activations.")
_SINGLE_FUNCTIONS = {
    "concat", "reshape", "cast", "transpose", "expand_dims", "squeeze", "pad", "clip_by_value",
    "identity", "stack", "unstack", "split", "tile", "strided_slice", "shape", "slice", "reverse",
    "zeros_like", "ones_like", "broadcast_to", "space_to_depth", "depth_to_space", "where",
    "gather", "image.flip_left_right", "image.flip_up_down",
}  # fmt: skip
_MODULES = ("layers", "initializers", "regularizers", "constraints", "activations")


def check_safety(config: dict[str, Any], path: object) -> None:
    """Refuse a description that names code or what Keras itself does not know.

    Args:
        config: see :class:`tinyseg.keras_files.description.Description`.
        path: for the message.

    Raises:
        InputError: it does; the message names the layer and the cure.
    """
    # Losses and optimizers are not built.
    network = {key: value for key, value in config.items() if key != "compile_config"}
    for layer, found in objects(network):
        kind, inner = str(found["class_name"]), found.get("config")
        where = f"{path}: layer '{layer}'" if layer else str(path)
        if kind in _CODE:
            raise OptionError(
                f"{where} ({kind.strip('_')}) holds code of the file's author, which is not run; "
                "build it from layers of Keras, or give --unsafe if you trust the file"
            )
        if kind in _LOADING:
            raise InputError(f"{where} ({kind}) reads other files; leave it out of the network")
        if kind == "TFOpLambda" and not _is_harmless(str((inner or {}).get("function"))):
            raise InputError(
                f"{where} calls tf.{(inner or {}).get('function')}, which is not one of the "
                "functions that a network may call; build it from layers of Keras"
            )
        if kind not in _PLAIN and not _is_known(kind, found):
            name = inner if kind == "function" and isinstance(inner, str) else kind
            raise InputError(
                f"{where} is of the custom class {name.split('>')[-1]}, whose code is not in the "
                "file; load it in Python with that class and give the model to "
                "tinyseg.quantize(model, images)"
            )


def _is_harmless(function: str) -> bool:
    function = function.removeprefix("compat.v1.")
    return function.startswith(_FUNCTIONS) or function in _SINGLE_FUNCTIONS


def _is_known(kind: str, found: dict[str, Any]) -> bool:
    module = found.get("module")
    registered = found.get("registered_name")
    if isinstance(registered, str) and ">" in registered:
        package = registered.split(">")[0]
        if package not in ("keras", "tf_keras"):
            return False
    if kind == "function":
        return str(found.get("config")) in _names("activations")
    if isinstance(module, str) and module.startswith("keras.src.ops."):
        return _is_operation(module, kind)
    if module is not None and not str(module).startswith(("keras", "tf_keras")):
        return False
    return any(kind in _names(part) for part in _MODULES)


@functools.cache
def _names(part: str) -> frozenset[str]:
    """Return what both generations of Keras offer in a module."""
    import tf_keras

    kind = types.FunctionType if part == "activations" else type
    return frozenset(
        name
        for generation in (keras3(), tf_keras)
        for name, value in vars(getattr(generation, part)).items()
        if isinstance(value, kind) and name not in ("get", "serialize", "deserialize")
    )


def _is_operation(module: str, kind: str) -> bool:
    keras3()
    import keras.src.ops
    from keras.src.ops.operation import Operation

    part = getattr(keras.src.ops, module.removeprefix("keras.src.ops."), None)
    known = getattr(part, kind, None)
    return isinstance(known, type) and issubclass(known, Operation)
