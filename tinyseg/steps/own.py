"""Sessions of what a library's user has in hand: a Keras network, a name, a path, arrays."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyseg import plan as plans
from tinyseg import presets
from tinyseg.data import Dataset
from tinyseg.data.arrays import from_arrays
from tinyseg.errors import InputError
from tinyseg.plan import Plan
from tinyseg.steps.names import is_file
from tinyseg.steps.own_file import plan_of
from tinyseg.steps.session import Session

if TYPE_CHECKING:
    import tf_keras as keras

Pictures = str | os.PathLike[str] | Dataset | tuple[np.ndarray, np.ndarray]


@dataclasses.dataclass(frozen=True)
class _Origin:
    """Where a Keras network in memory comes from.

    Attributes:
        plan: of the network.
        path: its weights file; None if they are random.
        digest: of the weights as they were then.
    """

    plan: Plan
    path: Path | None
    digest: str


# By network; an entry goes when its network does.
_ORIGINS: weakref.WeakKeyDictionary[keras.Model, _Origin] = weakref.WeakKeyDictionary()


def remember(network: keras.Model, plan: Plan, path: Path | None = None) -> keras.Model:
    """Keep in mind what a network was made from, for :func:`session_to_quantize`.

    Args:
        network: as it is now.
        plan: of it.
        path: its weights file; None if they are random.

    Returns:
        The network.
    """
    _ORIGINS[network] = _Origin(plan, path, _digest(network))
    return network


def pictures(images: Pictures | None) -> tuple[str | None, Dataset | None]:
    """Return the name of images, and the images themselves if they are in memory.

    Args:
        images: name or path for :func:`tinyseg.data.load`; images and their masks or labels, see
            :func:`tinyseg.data.arrays.from_arrays`; or a dataset. None for none.

    Raises:
        InputError: they are something else.
    """
    if images is None:
        return None, None
    if isinstance(images, str | os.PathLike):
        return os.fspath(images), None
    if isinstance(images, Dataset):
        return images.name, images
    if isinstance(images, tuple | list) and len(images) == 2:
        dataset = from_arrays(*images)
        return dataset.name, dataset
    raise InputError(
        f"images: a {type(images).__name__} cannot be used; give the name of a data set, a folder, "
        "or two arrays (images, masks)"
    )


def session_to_quantize(
    network: keras.Model | str | os.PathLike[str],
    images: Pictures | None,
    changes: Mapping[str, Any],
    folder: Path,
    unsafe: bool = False,
) -> Session:
    """Open a network that is to be quantized, and settle how.

    Args:
        network: a name, ``NETWORK/DATA``, a weights file with its plan, a Keras model file, or a
            network of Keras 2 or 3.
        images: see :func:`pictures`; None for those that the network was trained with.
        changes: values of the plan by dotted name, see :func:`tinyseg.plan.override`.
        folder: takes the weights of a Keras network that come from no file.
        unsafe: run code that a Keras model file holds.

    Raises:
        InputError: no such network, weights, setting or images.
    """
    source, dataset = pictures(images)
    if isinstance(network, str | os.PathLike):
        session = _named(os.fspath(network), source, changes, unsafe)
    else:
        session = _held(network, source, changes, folder)
    session.dataset = dataset
    return session


def _named(
    name: str, source: str | None, changes: Mapping[str, Any], unsafe: bool = False
) -> Session:
    if name.endswith(".tflite"):
        raise InputError(f"{name}: holds integers already; tinyseg.load opens it")
    if is_file(name):
        return Session.open(name, source, changes=changes, unsafe=unsafe)
    return Session.to_quantize(name, source, changes)


def _held(
    network: keras.Model, source: str | None, changes: Mapping[str, Any], folder: Path
) -> Session:
    """Return the session of a Keras network, whose weights may have changed since it was made."""
    from tinyseg.zoo.weights import save_weights

    _need_keras(network)
    origin = _ORIGINS.get(network)
    if origin and origin.path and origin.digest == _digest(network):
        return Session.open(origin.path, source, fallback=origin.plan, changes=changes)
    known = origin and origin.path and origin.plan.data.source
    if source is None and not known:
        raise InputError(
            f"{network.name}: give the images to quantize with, such as those it was trained with: "
            "a name, a folder, or two arrays (images, masks)"
        )
    if origin is None:
        network, plan = _flat(network, changes)
    else:
        # What learned more is not what the user's file holds.
        plan = plans.override(origin.plan, {"model.file": ""})
    parent = Session(origin.plan, origin.path) if origin and origin.path else None
    path = save_weights(network, folder / presets.WEIGHTS)
    plan = plans.override(plan, {"data.source": source, **changes})
    session = Session(plan, path, parent=parent)
    session.network, session.own = network, True
    return session


def _need_keras(network: Any) -> None:
    import tf_keras as keras

    from tinyseg.keras_files.operation import keras3

    if not isinstance(network, keras.Model | keras3().Model):
        kind = f"{type(network).__module__}.{type(network).__name__}"
        raise InputError(
            f"network: a {kind} cannot be quantized; give a name, a file, or a model of Keras 3 "
            "('import keras') or Keras 2 ('import tf_keras as keras')"
        )


def _flat(network: Any, changes: Mapping[str, Any]) -> tuple[keras.Model, Plan]:
    """Return a network that is not of the zoo as a flat one of Keras 2, and its plan."""
    from tinyseg.keras_files import load

    opened = load.opened(network, network.name)
    plan = plan_of(opened, changes)
    return load.flat_network(opened, plan.preprocessing.input_shape, plan.model.name), plan


def _digest(network: keras.Model) -> str:
    digest = hashlib.sha256()
    for values in network.get_weights():
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()
