"""What attention gates let through, epoch by epoch."""

from __future__ import annotations

import io
import re
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
    layers = gate_layers(model)
    if not layers:
        raise InputError(f"{model.name}: has no attention gates; choose a network that has")
    inner = keras.Model(model.input, [model.get_layer(name).output for name in layers])
    outputs = inner.predict(images, verbose=0)
    outputs = outputs if isinstance(outputs, list) else [outputs]
    return {
        _GATE.fullmatch(name)["gate"]: np.round(255 * output[..., 0]).astype(np.uint8)
        for name, output in zip(layers, outputs, strict=True)
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
        self._network, self._images, self._folder = network, images, folder
        if not gate_layers(network):
            raise InputError(
                f"{network.name}: has no attention gates; leave training.attention_maps out"
            )

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Write the file of an epoch."""
        stream = io.BytesIO()
        np.savez_compressed(stream, **attention_maps(self._network, self._images))
        files.write_bytes(self._folder / f"epoch_{epoch + 1:04d}.npz", stream.getvalue())


def stored_maps(folder: Path) -> list[tuple[int, dict[str, np.ndarray]]]:
    """Return epoch and coefficients of each file that :class:`AttentionMaps` wrote, in order."""
    maps = []
    for path in sorted(folder.glob("epoch_*.npz")):
        with np.load(path) as stored:
            maps.append((int(path.stem.removeprefix("epoch_")), dict(stored)))
    return maps
