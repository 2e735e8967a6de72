"""What a Keras file says of its network, read without Keras: nothing in it runs."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import h5py

from tinyseg import hdf5
from tinyseg.errors import InputError

SUFFIXES = (".keras", ".h5", ".hdf5")
GRAPH = "saved_model.pb"
_METADATA = "keras_metadata.pb"
_CONFIG = "config.json"
# A description that is larger is no network for a microcontroller.
_LIMIT = 64 << 20
_WEIGHTS_LIMIT = 2 << 30


class OptionError(InputError):
    """A file is taken only with an option that the message names."""


class Description(NamedTuple):
    """A network as its file describes it.

    Attributes:
        generation: 2 or 3, the Keras that wrote it.
        config: ``class_name`` and ``config`` of the model; None of a graph without layers.
    """

    generation: int
    config: dict[str, Any] | None


def is_model(path: str | Path) -> bool:
    """Return whether a path is that of a whole Keras model: file, or folder of a SavedModel."""
    path = Path(path)
    if path.is_dir():
        return (path / GRAPH).is_file()
    if not path.is_file() or path.suffix not in SUFFIXES:
        return False
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return _CONFIG in archive.namelist()
        hdf5.need_sound(path)
        with h5py.File(path, "r") as file:
            return "model_config" in file.attrs
    except (OSError, zipfile.BadZipFile):
        return False


def looks_like_model(name: str) -> bool:
    """Return whether a name can only mean a Keras file or a folder, not a network of the zoo."""
    return name.endswith(SUFFIXES) or (Path(name) / GRAPH).is_file()


def fingerprint(path: str | Path) -> str:
    """Return the SHA-256 of a file, or of all files of a SavedModel."""
    path = Path(path)
    if path.is_file():
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    whole = hashlib.sha256()
    for part in (path / GRAPH, *sorted((path / "variables").glob("*"))):
        with part.open("rb") as stream:
            whole.update(
                f"{part.name} {hashlib.file_digest(stream, 'sha256').hexdigest()}\n".encode()
            )
    return whole.hexdigest()


def read(path: str | Path) -> Description:
    """Read what a file says of its network.

    Raises:
        InputError: the file is missing, damaged, or holds weights alone.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file")
    try:
        if path.is_dir():
            return _of_folder(path)
        if zipfile.is_zipfile(path):
            return _of_archive(path)
        return _of_hdf5(path)
    except (OSError, zipfile.BadZipFile, UnicodeDecodeError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:150]
        raise InputError(f"{path}: not a readable Keras file ({reason}); save it again") from None


def _of_archive(path: Path) -> Description:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if archive.getinfo(name).file_size > (
                _WEIGHTS_LIMIT if name.endswith(".h5") else _LIMIT
            ):
                raise InputError(f"{path}: {name} in it is implausibly large; save it again")
        if _CONFIG not in archive.namelist():
            raise InputError(f"{path}: {_no_network(path)}")
        config = json.loads(archive.read(_CONFIG))
        metadata = json.loads(archive.read("metadata.json"))
    return Description(_generation(metadata.get("keras_version")), _checked(path, config))


def _of_hdf5(path: Path) -> Description:
    hdf5.need_sound(path)
    with h5py.File(path, "r") as file:
        config, version = file.attrs.get("model_config"), file.attrs.get("keras_version")
    if config is None:
        raise InputError(f"{path}: {_no_network(path)}")
    return Description(_generation(version), _checked(path, json.loads(config)))


def _of_folder(path: Path) -> Description:
    if not (path / GRAPH).is_file():
        raise InputError(f"{path}: a folder without {GRAPH} is no SavedModel")
    if not (path / _METADATA).is_file():
        return Description(3, None)
    from tf_keras.protobuf import saved_metadata_pb2

    metadata = saved_metadata_pb2.SavedMetadata()
    try:
        metadata.ParseFromString((path / _METADATA).read_bytes())
    # Of protobuf, which has no public name for it in all of its versions.
    except Exception as error:
        raise ValueError(error) from None
    for node in metadata.nodes:
        if node.node_path == "root" and node.identifier in (
            "_tf_keras_network",
            "_tf_keras_sequential",
        ):
            config = json.loads(node.metadata).get("model_config")
            # The class of the root is in the file twice; a graph serves where it has no layers.
            if config:
                return Description(2, _checked(path, _with_tuples(config)))
    return Description(2, None)


def _with_tuples(value: Any) -> Any:
    """Return a value of the metadata with its own notation for tuples resolved."""
    if isinstance(value, dict):
        if value.get("class_name") == "__tuple__":
            return [_with_tuples(item) for item in value.get("items", ())]
        return {key: _with_tuples(item) for key, item in value.items()}
    return [_with_tuples(item) for item in value] if isinstance(value, list) else value


def _checked(path: Path, config: Any) -> dict[str, Any]:
    if not isinstance(config, dict) or not isinstance(config.get("class_name"), str):
        raise InputError(f"{path}: describes no network; save the whole model again")
    return config


def _generation(version: Any) -> int:
    text = version.decode() if isinstance(version, bytes) else str(version or "2")
    return 3 if text.startswith("3") else 2


def _no_network(path: Path) -> str:
    return (
        "holds weights without their network; save the whole model with "
        f"model.save('{path.with_suffix('.keras').name}')"
    )


def objects(value: Any, layer: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every object that a description names, with the layer that it is part of."""
    if isinstance(value, list):
        for item in value:
            yield from objects(item, layer)
    elif isinstance(value, dict):
        if "class_name" in value:
            config = value.get("config")
            if "inbound_nodes" in value or (isinstance(config, dict) and "trainable" in config):
                named = config.get("name") if isinstance(config, dict) else None
                layer = str(value.get("name") or named or layer)
            yield layer, value
        for item in value.values():
            yield from objects(item, layer)
