"""Store and load weights; a user's model file is never executed, only its weights are read."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path

import h5py
import numpy as np
import tf_keras as keras

from tinyseg import files, hdf5
from tinyseg.errors import InputError
from tinyseg.zoo import encoder_weights, pretrained

# Inside a .keras archive; anything larger than the limit is no network for a microcontroller.
_ARCHIVE_MEMBER = "model.weights.h5"
_ARCHIVE_LIMIT = 2 << 30


def save_weights(model: keras.Model, path: str | Path, half: bool = False) -> Path:
    """Write weights as HDF5, whole or not at all.

    Args:
        model: the network.
        path: file to write.
        half: store float16 values, compressed; they are rounded.
    """
    with files.replacing(path) as temporary:
        model.save_weights(str(temporary), save_format="h5")
        if half:
            _halve(temporary)
    return Path(path)


def load_weights(model: keras.Model, path: str | Path) -> None:
    """Load weights from an ``.h5`` weights or model file, or a ``.keras`` archive.

    Only arrays are read: layers with code of their own (Lambda) in the file do not run. A file
    without the network's head is one for transfer learning, see :mod:`tinyseg.zoo.pretrained`;
    one of an encoder alone, or the word ``pretrained`` for that of an installed package, is too,
    see :mod:`tinyseg.zoo.encoder_weights`.

    Raises:
        InputError: the file is missing, damaged, or of another architecture.
    """
    if path == encoder_weights.PRETRAINED:
        path = encoder_weights.find_for(model)
    if encoder_weights.is_published(path):
        encoder_weights.load_encoder(model, path)
        return
    try:
        if zipfile.is_zipfile(path):
            _load_archive(model, path)
        else:
            hdf5.need_sound(path)
            with h5py.File(path, "r") as file:
                partial = pretrained.lacks_head(model, file)
            load = pretrained.load_backbone if partial else type(model).load_weights
            load(model, str(path))
    except FileNotFoundError:
        raise InputError(f"{path}: no such weights file; run 'tinyseg train' first") from None
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: not a readable HDF5 file ({error}); restore it") from None
    except (ValueError, KeyError, IndexError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{path}: weights do not fit {model.name}; check base width, depth, classes and "
            f"channels ({reason})"
        ) from None
    if not all(np.isfinite(weight).all() for weight in model.get_weights()):
        raise InputError(f"{path}: holds NaN or infinite weights; train again or restore it")


def _load_archive(model: keras.Model, path: str | Path) -> None:
    """Load from the one member of a ``.keras`` archive that holds arrays."""
    with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
        if archive.getinfo(_ARCHIVE_MEMBER).file_size > _ARCHIVE_LIMIT:
            raise InputError(f"{path}: implausibly large weights; restore it")
        extracted = Path(folder, _ARCHIVE_MEMBER)
        extracted.write_bytes(archive.read(_ARCHIVE_MEMBER))
        hdf5.need_sound(extracted)
        model.load_weights(str(extracted))


def _halve(path: Path) -> None:
    """Rewrite an HDF5 file with its float32 arrays as compressed float16."""
    copy = path.with_name(f"{path.name}.half")
    with h5py.File(path, "r") as source, h5py.File(copy, "w") as target:
        target.attrs.update(source.attrs)

        def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Group):
                made = target.create_group(name)
            else:
                values = item[()].astype(np.float16) if item.dtype == np.float32 else item[()]
                # Compressed arrays have an overhead that small ones do not earn back.
                large = np.size(values) > 4096
                packing = {"compression": "gzip", "shuffle": True} if large else {}
                made = target.create_dataset(name, data=values, **packing)
            made.attrs.update(item.attrs)

        source.visititems(visit)
    copy.replace(path)
