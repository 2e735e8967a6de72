"""The networks. Add one: a file with its builder, and a line in ``NETWORKS``."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from tinyseg.errors import InputError
from tinyseg.plan import ModelPlan, PreprocessingPlan

if TYPE_CHECKING:
    import tf_keras as keras


class Network(NamedTuple):
    """A line of the registry.

    Attributes:
        builder: ``module:function`` below this package, imported when it is needed.
        task: ``segmentation`` or ``classification``.
        input_shape: height, width and channels of the reference input.
        arguments: what the builder gets unless the user says otherwise.
    """

    builder: str
    task: str
    input_shape: tuple[int, int, int]
    arguments: Mapping[str, Any] = MappingProxyType({})


NETWORKS = {
    "attention_unet": Network("attention_unet:attention_unet", "segmentation", (256, 256, 3)),
    "attention_unet_ds": Network(
        "attention_unet:attention_unet", "segmentation", (256, 256, 3), {"separable": True}
    ),
    "unet": Network("unet:unet", "segmentation", (256, 256, 1)),
    "lw_unet": Network("unet:lw_unet", "segmentation", (256, 256, 1)),
    "blu_net": Network("blu_net:blu_net", "segmentation", (256, 256, 1)),
}


def network(name: str) -> Network:
    """Return a registry entry.

    Raises:
        InputError: no such network.
    """
    try:
        return NETWORKS[name]
    except KeyError:
        raise InputError(f"{name}: no such network; choose from {', '.join(NETWORKS)}") from None


def builder(name: str) -> Callable[..., keras.Model]:
    """Return the function that builds a network.

    Raises:
        InputError: no such network.
    """
    module, function = network(name).builder.split(":")
    return getattr(importlib.import_module(f"tinyseg.zoo.{module}"), function)


def build(model: ModelPlan, preprocessing: PreprocessingPlan) -> keras.Model:
    """Build the network that a plan asks for.

    Raises:
        InputError: unknown network or argument, or a shape that it cannot take.
    """
    entry = network(model.name)
    make = builder(model.name)
    known = inspect.signature(make).parameters
    unknown = set(model.arguments) - (set(known) - {"input_shape", "name"})
    if unknown:
        raise InputError(
            f"{model.name}: no argument '{unknown.pop()}'; it takes "
            + ", ".join(name for name in known if name not in ("input_shape", "name"))
        )
    shape = (preprocessing.height, preprocessing.width, preprocessing.channels)
    try:
        return make(shape, **{**entry.arguments, **model.arguments}, name=model.name)
    except (ValueError, TypeError) as error:
        raise InputError(f"{model.name}: {error}") from None
