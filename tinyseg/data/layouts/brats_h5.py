"""BraTS 2020 as one HDF5 file a slice, as in Kaggle's awsaf49/brats2020-training-data.

``volume_P_slice_S.h5`` holds ``image`` (240, 240, 4): T1, T1 with contrast, T2, FLAIR; and
``mask`` (240, 240, 3): necrotic and non-enhancing core, oedema, enhancing tumour. The images are
those of Menze et al., IEEE TMI 34(10), 2015, and Bakas et al., Scientific Data 4, 2017.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import h5py
import numpy as np

from tinyseg.data import tree
from tinyseg.data.dataset import Dataset, Sample
from tinyseg.data.images import DAMAGES, MAX_PIXELS
from tinyseg.data.layouts.layout import Layout
from tinyseg.data.layouts.slices import MIDDLE_HALF, REGIONS, middle, share, tell, to_8_bit
from tinyseg.errors import InputError

_NAME = re.compile(r"volume_(?P<volume>\d+)_slice_(?P<slice>\d+)")
_CHANNELS = 4


@dataclasses.dataclass(frozen=True)
class BratsH5Dataset(Dataset):
    """Slices with four channels and three regions that may overlap."""

    def _read_image(self, sample: Sample) -> np.ndarray:
        return self._read_both(sample)[0]

    def _read_both(self, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        path = sample.path
        image, mask = _arrays(path)
        if image.ndim != 3 or image.shape[-1] != _CHANNELS:
            raise InputError(
                f"{path}: 'image' is {image.shape}, not (height, width, {_CHANNELS}); export it "
                "with one channel a modality"
            )
        if mask.shape != (*image.shape[:2], len(REGIONS)):
            raise InputError(
                f"{path}: 'mask' is {mask.shape} but its image is {image.shape}; export both at "
                f"one size, the mask with {len(REGIONS)} regions"
            )
        if not np.isfinite(mask).all():
            raise InputError(f"{path}: 'mask' holds NaN or infinity; repair or remove it")
        return to_8_bit(image, path), (mask > mask.max() / 2).astype(np.uint8)


def _arrays(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return ``image`` and ``mask`` as they are stored."""
    try:
        with h5py.File(path, "r") as file:
            for name in ("image", "mask"):
                if not isinstance(file.get(name), h5py.Dataset):
                    raise InputError(f"{path}: holds no '{name}'; export the slice again")
                if file[name].dtype.kind not in "biuf":
                    raise InputError(f"{path}: '{name}' holds no numbers; export the slice again")
                # Compressed, a file of a few bytes can claim any shape.
                if file[name].size > MAX_PIXELS:
                    raise InputError(f"{path}: '{name}' is implausibly large; export it again")
            return file["image"][()], file["mask"][()]
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except InputError:
        raise
    except DAMAGES:
        what = "is empty" if path.stat().st_size == 0 else "is truncated or not HDF5"
        raise InputError(f"{path}: {what}; replace or remove it") from None


def is_brats_h5(root: Path) -> bool:
    """Return whether a folder holds ``volume_P_slice_S.h5``, at any depth."""
    return any(_NAME.fullmatch(path.stem) for path in tree.files_below(root, "*.h5"))


def scan_brats_h5(root: Path, slices: float = MIDDLE_HALF) -> tuple[list[Sample], list[str]]:
    """List the middle slices of each patient without opening a file.

    Args:
        root: any folder above the files.
        slices: share of each volume's slices that is taken, from the middle, where the tumours
            are; a half are slices 39 to 115 of 155.

    Returns:
        The samples, a patient's number being their group, and one line for each slice that
        stands there twice.
    """
    volumes: dict[int, dict[int, Path]] = {}
    problems = []
    for path in sorted(tree.files_below(root, "*.h5")):
        if match := _NAME.fullmatch(path.stem):
            volume = volumes.setdefault(int(match["volume"]), {})
            other = volume.setdefault(int(match["slice"]), path)
            if other != path:
                problems.append(f"{path}: same slice as {other}; remove one of them")
    samples = [
        Sample(f"volume_{number}/slice_{index}", "", path, (), f"volume_{number}")
        for number, volume in sorted(volumes.items())
        for index, path in middle(sorted(volume.items()), slices)
    ]
    return samples, problems


def open_brats_h5(root: Path, slices: float = MIDDLE_HALF) -> tuple[Dataset, list[str]]:
    """Return the slices, see :func:`scan_brats_h5`, and what is doubled."""
    tell(root, slices)
    samples, problems = scan_brats_h5(root, slices)
    return BratsH5Dataset("brats2020", tuple(samples), root, REGIONS), problems


LAYOUT = Layout(is_brats_h5, open_brats_h5, "brats2020", {"slices": share})
