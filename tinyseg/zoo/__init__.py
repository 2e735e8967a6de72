"""The networks. Add one: a file with its builder, and a line in ``NETWORKS``.

Installed packages add theirs by entry points of the group :data:`GROUP`.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from tinyseg import extensions
from tinyseg.errors import InputError, meant

if TYPE_CHECKING:
    import tf_keras as keras


GROUP = "tinyseg.networks"


class Network(NamedTuple):
    """A line of the registry.

    Attributes:
        builder: ``module:function`` below this package, imported when it is needed; packages that
            add a network give the function itself. It takes ``input_shape``, its own arguments
            and ``name``.
        task: ``segmentation`` or ``classification``.
        input_shape: height, width and channels of the reference input.
        arguments: what the builder gets unless the user says otherwise.
        stopped_by: operators of the published form that TensorFlow Lite Micro does not run in
            int8. Such a network has an argument ``deployable``, true unless the user says
            otherwise, that chooses a form without them; see :mod:`tinyseg.zoo.blocks.deployment`.
        transfers: whether it is meant to start from weights of another task; random ones are
            warned of. See :mod:`tinyseg.zoo.pretrained`.
    """

    builder: str | Callable[..., keras.Model]
    task: str
    input_shape: tuple[int, int, int]
    arguments: Mapping[str, Any] = MappingProxyType({})
    stopped_by: tuple[str, ...] = ()
    transfers: bool = False


NETWORKS = {
    "attention_unet": Network("attention_unet:attention_unet", "segmentation", (256, 256, 3)),
    "attention_unet_ds": Network(
        "attention_unet:attention_unet", "segmentation", (256, 256, 3), {"separable": True}
    ),
    # Sizes that 'tinyseg fit' finds for 512 KB and for 256 KB of RAM.
    "attention_unet_ds_mcu": Network(
        "attention_unet:attention_unet",
        "segmentation",
        (128, 128, 1),
        {"separable": True, "base_width": 8},
    ),
    "attention_unet_ds_256k": Network(
        "attention_unet:attention_unet",
        "segmentation",
        (72, 72, 1),
        {"separable": True, "base_width": 8, "depth": 3},
    ),
    "unet": Network("unet:unet", "segmentation", (256, 256, 1)),
    "lw_unet": Network("unet:lw_unet", "segmentation", (256, 256, 1)),
    "lw_unet_256k": Network(
        "unet:lw_unet", "segmentation", (112, 112, 1), {"base_width": 7, "depth": 4}
    ),
    "blu_net": Network("blu_net:blu_net", "segmentation", (256, 256, 1)),
    "tiny_unet": Network(
        "tiny_unet:tiny_unet", "segmentation", (256, 256, 3), stopped_by=("GELU",)
    ),
    "classic_unet": Network("classic_unet:classic_unet", "segmentation", (240, 240, 4)),
    "improved_unet": Network("improved_unet:improved_unet", "segmentation", (240, 240, 4)),
    "brain_attention_unet": Network(
        "brain_attention_unet:brain_attention_unet", "segmentation", (240, 240, 4)
    ),
    "stan": Network("stan:stan", "segmentation", (256, 256, 3)),
    # For 256 KB of RAM: published weights for its encoder, see tinyseg/zoo/encoder_weights.py.
    "encoder_unet": Network(
        "encoder_unet:encoder_unet", "segmentation", (128, 128, 1), transfers=True
    ),
    "custom_cnn": Network(
        "custom_cnn:custom_cnn", "classification", (128, 128, 3), stopped_by=("EXP", "LOG")
    ),
    "alexnet": Network("alexnet:alexnet", "classification", (128, 128, 3)),
    "vgg16": Network("vgg16:vgg16", "classification", (128, 128, 3)),
    "vit": Network("vit:vit", "classification", (128, 128, 3)),
    "resnet50": Network("resnet:resnet50", "classification", (224, 224, 3), transfers=True),
    "resnet101": Network("resnet:resnet101", "classification", (224, 224, 3), transfers=True),
}


# What every builder takes beside its arguments.
_GIVEN = ("input_shape", "name")


def names() -> list[str]:
    """Return the names of all networks, those that installed packages add last."""
    return list(dict.fromkeys([*NETWORKS, *extensions.registered_names(GROUP)]))


def network(name: str) -> Network:
    """Return a registry entry.

    Raises:
        InputError: no such network, or a package's that cannot be imported.
    """
    entry = NETWORKS.get(name) or extensions.registered(GROUP, name, Network)
    if entry is None:
        raise InputError(f"{name}: {_reason(name)}")
    return entry


def _reason(name: str) -> str:
    """Return why a name is that of no network, and the cure."""
    if name.endswith(".tflite"):
        return (
            "is a .tflite file; give the network that it was made of, a Keras model or one of "
            "'tinyseg zoo'"
        )
    if name.endswith((".keras", ".h5")):
        return (
            "a network of the zoo is wanted here, see 'tinyseg zoo'; to go on training one of "
            f"yours, run 'tinyseg quantize {name} --recipe qat_wi8_ai8'"
        )
    return (
        f"no such network or Keras file; choose from {', '.join(names())}, or give a file that "
        f"ends in .keras or .h5, or the folder of a SavedModel{meant(name, names())}"
    )


def builder(name: str) -> Callable[..., keras.Model]:
    """Return the function that builds a network.

    Raises:
        InputError: no such network.
    """
    made_by = network(name).builder
    if callable(made_by):
        return made_by
    module, function = made_by.split(":")
    return getattr(importlib.import_module(f"tinyseg.zoo.{module}"), function)


def need_arguments(name: str, arguments: Mapping[str, Any]) -> None:
    """Refuse arguments that a network's builder does not take.

    Raises:
        InputError: unknown network or argument.
    """
    known = [key for key in inspect.signature(builder(name)).parameters if key not in _GIVEN]
    for wrong in sorted(set(arguments) - set(known)):
        hint = meant(wrong, known)
        raise InputError(f"{name}: no argument '{wrong}'; it takes {', '.join(known)}{hint}")


def build(
    name: str, arguments: Mapping[str, Any], input_shape: tuple[int, int, int]
) -> keras.Model:
    """Build a network with random weights.

    Args:
        name: one of :func:`names`.
        arguments: of its builder, over those of its line in the registry.
        input_shape: height, width and channels of the images.

    Raises:
        InputError: unknown network or argument, or a shape that it cannot take.
    """
    entry = network(name)
    need_arguments(name, arguments)
    try:
        return builder(name)(input_shape, **{**entry.arguments, **arguments}, name=name)
    except (ValueError, TypeError) as error:
        raise InputError(f"{name}: {error}") from None
