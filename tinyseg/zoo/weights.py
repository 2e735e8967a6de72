"""Store and load weights; a user's model file is never executed, only its weights are read."""

from __future__ import annotations

from pathlib import Path

import h5py
import tf_keras as keras

from tinyseg import files
from tinyseg.errors import InputError


def save_weights(model: keras.Model, path: str | Path) -> Path:
    """Write weights as HDF5, whole or not at all."""
    with files.replacing(path) as temporary:
        model.save_weights(str(temporary), save_format="h5")
    return Path(path)


def load_weights(model: keras.Model, path: str | Path) -> None:
    """Load weights from an ``.h5`` weights or model file into a network built by us.

    Only arrays are read: layers with code of their own (Lambda) in the file do not run.

    Raises:
        InputError: the file is missing, damaged, or of another architecture.
    """
    try:
        with h5py.File(path, "r"):
            pass
        model.load_weights(str(path))
    except FileNotFoundError:
        raise InputError(f"{path}: no such weights file; run 'tinyseg train' first") from None
    except OSError as error:
        raise InputError(f"{path}: not a readable HDF5 file ({error}); restore it") from None
    except (ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{path}: weights do not fit {model.name}; check base width, depth, classes and "
            f"channels ({reason})"
        ) from None
