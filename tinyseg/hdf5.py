"""HDF5 files of others: the library that reads them crashes on some that are damaged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py

from tinyseg.isolation import CrashedError, isolated

# Sound files take less than a second; damage can lead in circles.
_SECONDS = 60


def need_sound(path: str | Path) -> None:
    """Read all that a file holds in a copy of this process.

    Raises:
        OSError: it is missing or damaged.
    """
    try:
        isolated(lambda _: _read(path), seconds=_SECONDS)
    except CrashedError as error:
        raise OSError(f"damaged: HDF5 crashes on it ({error})") from None
    except OSError:
        raise
    # Damage surfaces as any of these.
    except Exception as error:
        raise OSError(f"damaged: {' '.join(str(error).split())[:100]}") from None


def _read(path: str | Path) -> None:
    with h5py.File(path, "r") as file:
        dict(file.attrs)
        file.visititems(_visit)


def _visit(_: str, item: Any) -> None:
    dict(item.attrs)
    if isinstance(item, h5py.Dataset):
        item[()]
