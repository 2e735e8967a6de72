"""Sessions of what a library's user has in hand: a Keras network, a name, a path, arrays."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
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
from tinyseg.plan import ModelPlan, Plan, PreprocessingPlan
from tinyseg.steps.session import Session

if TYPE_CHECKING:
    import tf_keras as keras

Pictures = str | os.PathLike[str] | Dataset | tuple[np.ndarray, np.ndarray]

_WEIGHTS = (".h5", ".keras")


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


def parse_name(name: str) -> tuple[str, str | None]:
    """Part ``NETWORK/DATA`` into both; the data is None where only a network is named."""
    network, _, data = name.partition("/")
    return network, data or None


def is_file(name: str) -> bool:
    """Tell whether a name is that of a file of weights or integers."""
    return name.endswith((*_WEIGHTS, ".tflite"))


def find_weights(name: str, data: str | None) -> Path:
    """Return the newest weights of a network, trained on the data if one is named.

    Raises:
        InputError: there are none.
    """
    path = presets.find_weights(name, data or "phantom")
    need_data(Session.open(path), data)
    return path


def need_data(session: Session, data: str | None) -> None:
    """Raise an InputError unless a network was trained on the data, if one is named."""
    if data is not None and session.trained_on != presets.slug(data):
        name = session.plan.model.name
        raise InputError(
            f"{name}/{data}: {name} was trained on {session.trained_on} only; name that, or run "
            f"'tinyseg train {name} --data {data}'"
        )


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
) -> Session:
    """Open a network that is to be quantized, and settle how.

    Args:
        network: a name, ``NETWORK/DATA``, a weights file with its plan, or a Keras network.
        images: see :func:`pictures`; None for those that the network was trained with.
        changes: values of the plan by dotted name, see :func:`tinyseg.plan.override`.
        folder: takes the weights of a Keras network that come from no file.

    Raises:
        InputError: no such network, weights, setting or images.
    """
    source, dataset = pictures(images)
    if isinstance(network, str | os.PathLike):
        session = _named(os.fspath(network), source, changes)
    else:
        session = _held(network, source, changes, folder)
    session.dataset = dataset
    return session


def _named(name: str, source: str | None, changes: Mapping[str, Any]) -> Session:
    if name.endswith(".tflite"):
        raise InputError(f"{name}: holds integers already; tinyseg.load opens it")
    if is_file(name):
        return Session.open(name, source, changes=changes)
    network, data = parse_name(name)
    if data is None:
        return Session.to_quantize(network, source, changes)
    weights = find_weights(network, data)
    return Session.to_quantize(network, source or data, changes, weights=weights)


def _held(
    network: keras.Model, source: str | None, changes: Mapping[str, Any], folder: Path
) -> Session:
    """Return the session of a Keras network, whose weights may have changed since it was made."""
    from tinyseg.zoo.weights import save_weights

    _need_keras(network)
    origin = _ORIGINS.get(network)
    if origin and origin.path and origin.digest == _digest(network):
        return Session.open(origin.path, source, changes=changes)
    if source is None and (origin is None or origin.path is None):
        raise InputError(
            f"{network.name}: give the images to quantize with, such as those it was trained with: "
            "a name, a folder, or two arrays (images, masks)"
        )
    plan = origin.plan if origin else _plan_of(network)
    parent = Session(origin.plan, origin.path) if origin and origin.path else None
    path = save_weights(network, folder / presets.WEIGHTS)
    plan = plans.override(plan, {"data.source": source, **changes})
    session = Session(plan, path, parent=parent)
    session.network, session.own = network, True
    return session


def _need_keras(network: Any) -> None:
    import tf_keras as keras

    if not isinstance(network, keras.Model):
        kind = f"{type(network).__module__}.{type(network).__name__}"
        raise InputError(
            f"network: a {kind} cannot be quantized; give a name, a weights file or a model of "
            "tf_keras (Keras 2), which 'import tf_keras as keras' brings"
        )


def _plan_of(network: keras.Model) -> Plan:
    """Return the plan of a network that is not of the zoo."""
    shape = getattr(network, "input_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 4 or None in shape[1:]:
        raise InputError(
            f"{network.name}: takes {shape}; one image (height, width, channels) of a fixed size "
            "is what can be quantized"
        )
    name = re.sub(r"\W+", "_", network.name)
    return Plan(ModelPlan(name), preprocessing=PreprocessingPlan(*shape[1:]))


def _digest(network: keras.Model) -> str:
    digest = hashlib.sha256()
    for values in network.get_weights():
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()
