"""What a user names: a file, a network of the zoo, or one with the data that it learned from."""

from __future__ import annotations

from pathlib import Path

from tinyseg import plan as plans
from tinyseg import presets, zoo
from tinyseg.errors import InputError
from tinyseg.keras_files.description import looks_like_model


def is_file(name: str) -> bool:
    """Return whether a name is that of a Keras file, of a SavedModel, or of integers."""
    return name.endswith(".tflite") or looks_like_model(name)


def parted(name: str) -> tuple[str, str | None]:
    """Part ``NETWORK/DATA`` into both; the data is None where only a network is named.

    Raises:
        InputError: no such network.
    """
    network, _, data = name.partition("/")
    whole = not network or name.endswith(".tflite")
    zoo.network(name if whole else network)
    return network, data or None


def find_weights(name: str, source: str | None = None) -> Path:
    """Return a named file as it is, or a network's newest weights.

    Args:
        name: a file, ``NETWORK/DATA``, or ``NETWORK``.
        source: data of a network that is named alone, which may have weights of its own.

    Raises:
        InputError: no such network, or none that was trained on the data of its name.
    """
    if is_file(name):
        return Path(name)
    network, data = parted(name)
    return _learned_from(data, network, presets.find_weights(network, data or source or "phantom"))


def find_tflite(name: str, source: str | None, recipe: str) -> Path:
    """Return a named file as it is, or a network's newest integer file.

    Args:
        name: a file, ``NETWORK/DATA``, or ``NETWORK``.
        source: data of a network that is named alone; None for any.
        recipe: quantization recipe.

    Raises:
        InputError: as of :func:`find_weights`.
    """
    network, slash, data = name.partition("/")
    if slash and data and network in zoo.names() and not Path(name).is_file():
        return _learned_from(data, network, presets.find_tflite(network, data, recipe))
    return presets.find_tflite(name, source, recipe)


def _learned_from(data: str | None, network: str, path: Path) -> Path:
    """Return the path unless its network learned from data other than those named."""
    if data is None:
        return path
    trained = plans.beside(path)
    known = presets.slug(trained.data.source) if trained else "unknown data"
    if known != presets.slug(data):
        raise InputError(
            f"{network}/{data}: {network} was trained on {known} only; name that, or run "
            f"'tinyseg train {network} --data {data}'"
        )
    return path
