"""Weights of few values as indices of tables, which kernels unpack two channels at a time."""

from __future__ import annotations

import dataclasses

import numpy as np

from tinyseg.engine.program import Data

# Most bits of an index; with more there is little to save.
_MOST_BITS = 7
# Packed weights are slower: they have to be smaller by so much.
_WORTH = 0.95


@dataclasses.dataclass(frozen=True)
class PackedWeights:
    """Packed weights, as ``firmware/engine/params.h`` describes them.

    Attributes:
        indices: bytes of all channels.
        tables: int8 values.
        bits: of an index.
        filter_bytes: between the indices of channels.
        table_step: between tables; 0 if there is one.
        scratch: bytes that a kernel needs to unpack them.
    """

    indices: bytes
    tables: bytes
    bits: int
    filter_bytes: int
    table_step: int
    scratch: int

    @property
    def size(self) -> int:
        """Bytes in flash."""
        return len(self.indices) + len(self.tables)

    @property
    def params(self) -> tuple[int | Data, ...]:
        """As kernels take them."""
        numbers = self.bits, self.filter_bytes, self.table_step
        return Data(self.indices), Data(self.tables), *numbers


def pack_weights(kernel: np.ndarray) -> PackedWeights | None:
    """Pack weights, with a table for each channel or one for all, whichever is smaller.

    Args:
        kernel: int8 ``(channels, ...)``.

    Returns:
        None if the plain ones are about as small.
    """
    channels = kernel.reshape(len(kernel), -1)
    found = [form for form in (_of_all(channels), _of_each(channels)) if form is not None]
    best = min(found, key=lambda form: form.size, default=None)
    return best if best is not None and best.size <= _WORTH * kernel.size else None


def _of_all(channels: np.ndarray) -> PackedWeights | None:
    values, indices = np.unique(channels, return_inverse=True)
    return _pack(channels, indices.reshape(channels.shape), values[None], 0)


def _of_each(channels: np.ndarray) -> PackedWeights | None:
    pairs = [np.unique(channel, return_inverse=True) for channel in channels]
    step = max(len(values) for values, _ in pairs)
    tables = np.stack([np.pad(values, (0, step - len(values))) for values, _ in pairs])
    return _pack(channels, np.stack([indices for _, indices in pairs]), tables, step)


def _pack(
    channels: np.ndarray, indices: np.ndarray, tables: np.ndarray, step: int
) -> PackedWeights | None:
    bits = max((tables.shape[1] - 1).bit_length(), 1)
    if bits > _MOST_BITS:
        return None
    digits = indices.astype(np.uint8)[..., None] >> np.arange(bits, dtype=np.uint8) & 1
    stored = np.packbits(digits.reshape(len(channels), -1), axis=1, bitorder="little")
    scratch = 2 * channels.shape[1]
    return PackedWeights(
        stored.tobytes(), tables.astype(np.int8).tobytes(), bits, stored.shape[1], step, scratch
    )
