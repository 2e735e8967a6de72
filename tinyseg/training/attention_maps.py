"""What attention gates let through, epoch by epoch."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from pathlib import Path

import numpy as np
import tf_keras as keras

from tinyseg import files
from tinyseg.errors import InputError

FOLDER = "attention"
_GATE = re.compile(r"(?P<gate>.*)_psi")


def gate_layers(model: keras.Model) -> list[str]:
    """Return the layers that hold the coefficients of attention gates, the coarsest first."""
    found = [layer for layer in model.layers if _GATE.fullmatch(layer.name)]
    return [layer.name for layer in sorted(found, key=lambda layer: layer.output_shape[1])]


def _coefficients(model: keras.Model) -> keras.Model:
    """Return the part of a network that ends in its gates' coefficients.

    Raises:
        InputError: the network has no gates.
    """
    layers = gate_layers(model)
    if not layers:
        raise InputError(
            f"{model.name}: has no attention gates; choose a network that has, or leave "
            "training.attention_maps out"
        )
    found = [_GATE.fullmatch(name) for name in layers]
    gates = {gate["gate"]: model.get_layer(gate[0]).output for gate in found if gate}
    return keras.Model(model.input, gates)


def attention_maps(model: keras.Model, images: np.ndarray) -> dict[str, np.ndarray]:
    """Return the coefficients of each gate.

    Args:
        model: with attention gates.
        images: network inputs float32 ``(n, height, width, channels)``.

    Returns:
        By the gate's name uint8 ``(n, rows, columns)``, 255 where all is let through.

    Raises:
        InputError: the network has no gates.
    """
    return _as_bytes(_coefficients(model), images)


def _as_bytes(inner: keras.Model, images: np.ndarray) -> dict[str, np.ndarray]:
    outputs = inner(images, training=False)
    return {
        gate: np.round(255 * np.asarray(output[..., 0], np.float32)).astype(np.uint8)
        for gate, output in outputs.items()
    }


class AttentionMaps(keras.callbacks.Callback):
    """Store what the gates let through of a few images, one file an epoch.

    Args:
        network: whose gates they are.
        images: network inputs float32 ``(n, height, width, channels)``.
        folder: gets ``epoch_0001.npz`` and so on, as :func:`attention_maps` returns it.

    Raises:
        InputError: the network has no gates.
    """

    def __init__(self, network: keras.Model, images: np.ndarray, folder: Path) -> None:
        super().__init__()
        # Built once: a new model every epoch would be traced anew.
        self._inner, self._images, self._folder = _coefficients(network), images, folder

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Write the file of an epoch."""
        stream = io.BytesIO()
        np.savez_compressed(stream, allow_pickle=True, **_as_bytes(self._inner, self._images))
        files.write_bytes(self._folder / f"epoch_{epoch + 1:04d}.npz", stream.getvalue())


def stored_maps(folder: Path) -> list[tuple[int, dict[str, np.ndarray]]]:
    """Return epoch and coefficients of each file that :class:`AttentionMaps` wrote, in order.

    Raises:
        InputError: a file is damaged.
    """
    maps = []
    for path in sorted(folder.glob("epoch_*.npz")):
        try:
            with np.load(path) as stored:
                maps.append((int(path.stem.removeprefix("epoch_")), dict(stored)))
        except (ValueError, EOFError, zipfile.BadZipFile, zlib.error):
            raise InputError(f"{path}: is damaged or no attention of an epoch; remove it") from None
    return maps
