"""Damaged HDF5 files: an error, whatever the library does with them."""

import h5py
import numpy as np
import pytest

from tinyseg.hdf5 import need_sound


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "weights.h5"
    with h5py.File(path, "w") as made:
        made.attrs["layers"] = ["a", "b"]
        for name in "ab":
            group = made.create_group(name)
            group.attrs["weights"] = ["kernel:0"]
            group["kernel:0"] = np.arange(2000, dtype=np.float32)
    return path


def test_sound_file(file):
    need_sound(file)


def test_missing_and_foreign_files(tmp_path):
    with pytest.raises(FileNotFoundError):
        need_sound(tmp_path / "none.h5")
    (tmp_path / "text.h5").write_text("no HDF5")
    with pytest.raises(OSError, match="signature"):
        need_sound(tmp_path / "text.h5")


def test_damage_is_an_error_at_most(file):
    """Bits of the structure, each flipped in turn: some make the library crash."""
    content = bytearray(file.read_bytes())
    refused = 0
    for place in range(0, 800, 16):
        content[place] ^= 0xFF
        file.write_bytes(content)
        try:
            need_sound(file)
        except OSError:
            refused += 1
        content[place] ^= 0xFF
    assert refused > 5
