"""BraTS as NIfTI volumes (Menze et al., IEEE TMI 34(10), 2015, 1993-2024), one folder a patient.

Files are known by a word in their names: ``flair``, ``t1``, ``t1ce`` or ``t1c``, ``t2`` and ``seg``
or ``OTMultiClass``, as in ``BraTS20_Training_001_t1ce.nii.gz``. Labels: 1 necrotic or (with 3)
non-enhancing core, 2 oedema, 4 enhancing tumour.
"""

from __future__ import annotations

import collections
import dataclasses
import math
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tinyseg.data import tree
from tinyseg.data.dataset import Dataset, Sample, natural_order
from tinyseg.data.images import DAMAGES
from tinyseg.data.layouts.layout import Layout
from tinyseg.data.layouts.slices import MIDDLE_HALF, REGIONS, middle, share, tell, to_8_bit
from tinyseg.errors import InputError

if TYPE_CHECKING:
    import nibabel

# In the order of the channels, which is that of the HDF5 slices.
_MODALITIES = {"t1": "t1", "t1ce": "t1c", "t1c": "t1c", "t1gd": "t1c", "t2": "t2", "flair": "flair"}
_ORDER = ("t1", "t1c", "t2", "flair")
_SEGMENTATION = {"seg", "otmulticlass"}
_LABELS = ((1, 3), (2,), (4,))
_KNOWN = {0, *(label for labels in _LABELS for label in labels)}
_PATIENTS_IN_MEMORY = 2
_MOST_VOXELS = 1 << 28


@dataclasses.dataclass(frozen=True)
class SliceSample(Sample):
    """One slice of a patient's volumes.

    Attributes:
        volumes: one file a channel; ``image`` is the first of them.
        index: of the slice along the third axis.
    """

    volumes: tuple[Path, ...] = ()
    index: int = 0

    @property
    def files(self) -> tuple[Path, ...]:
        """The volumes and the segmentation."""
        return (*self.volumes, *self.masks)


class _Volumes:
    """The volumes read last: slices of one patient are asked for one after another."""

    def __init__(self):
        self._lock = threading.Lock()
        self._entries: collections.OrderedDict[tuple[Path, ...], _Entry] = collections.OrderedDict()

    def __getitem__(self, paths: tuple[Path, ...]) -> list[np.ndarray]:
        with self._lock:
            entry = self._entries.setdefault(paths, _Entry())
            self._entries.move_to_end(paths)
            while len(self._entries) > _PATIENTS_IN_MEMORY:
                self._entries.popitem(last=False)
        # One thread reads, the others that want the same patient wait for it.
        with entry.lock:
            if entry.arrays is None:
                entry.arrays = _read_volumes(paths)
            return entry.arrays


class _Entry:
    def __init__(self):
        self.lock = threading.Lock()
        self.arrays: list[np.ndarray] | None = None


@dataclasses.dataclass(frozen=True)
class BratsNiftiDataset(Dataset):
    """Slices with a channel for each modality and three regions."""

    _volumes: _Volumes = dataclasses.field(default_factory=_Volumes, repr=False, compare=False)

    def _read_image(self, sample: Sample) -> np.ndarray:
        return self._read_both(sample)[0]

    def _read_both(self, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        assert isinstance(sample, SliceSample)
        arrays = [volume[..., sample.index] for volume in self._volumes[sample.files]]
        count = len(sample.volumes)
        image = np.stack(arrays[:count], axis=-1)
        labels = arrays[count] if sample.masks else np.zeros(image.shape[:2])
        mask = np.stack([np.isin(labels, region) for region in _LABELS], axis=-1)
        return to_8_bit(image, sample.path), mask.astype(np.uint8)


def _read_volumes(paths: tuple[Path, ...]) -> list[np.ndarray]:
    """Decode a patient's volumes and make sure that they lie on one grid."""
    import nibabel

    headers = [_open(path) for path in paths]
    first = headers[0]
    for path, header in zip(paths, headers, strict=True):
        if header.shape != first.shape:
            raise InputError(
                f"{path}: is {_size(header)} but {paths[0].name} is {_size(first)}; "
                "resample both to one grid"
            )
        if nibabel.aff2axcodes(header.affine) != nibabel.aff2axcodes(first.affine):
            raise InputError(
                f"{path}: is oriented otherwise than {paths[0].name}; resample both to one grid"
            )
    arrays = [_decode(path, header) for path, header in zip(paths, headers, strict=True)]
    for path, array in zip(paths, arrays, strict=True):
        if _modality(path) == "seg":
            _check_labels(path, array)
    return arrays


def _check_labels(path: Path, labels: np.ndarray) -> None:
    values = set(np.unique(labels).tolist())
    if any(value != value for value in values):
        raise InputError(f"{path}: holds NaN or infinity; repair or remove it")
    if unknown := sorted(values - _KNOWN):
        raise InputError(
            f"{path}: holds label {unknown[0]:g}; map its labels to {', '.join(map(str, _KNOWN))}"
        )


def _open(path: Path) -> nibabel.spatialimages.SpatialImage:
    """Read a volume's header."""
    import nibabel

    try:
        volume = nibabel.load(path)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (*DAMAGES, nibabel.filebasedimages.ImageFileError):
        what = "is empty" if path.stat().st_size == 0 else "is truncated or not NIfTI"
        raise InputError(f"{path}: {what}; replace or remove it") from None
    if not isinstance(volume, nibabel.spatialimages.SpatialImage):
        raise InputError(f"{path}: is no volume; replace or remove it")
    if len(volume.shape) != 3 or 0 in volume.shape:
        raise InputError(f"{path}: is {_size(volume)}, not a volume; save one file a modality")
    # Compressed, a file of a few bytes can claim any shape.
    if math.prod(volume.shape) > _MOST_VOXELS:
        raise InputError(f"{path}: is implausibly large, {_size(volume)}; crop it or remove it")
    return volume


def _decode(path: Path, volume: nibabel.spatialimages.SpatialImage) -> np.ndarray:
    """Read a volume's values, as they are stored unless a scale is."""
    import nibabel

    try:
        return np.asanyarray(volume.dataobj)
    except (*DAMAGES, nibabel.filebasedimages.ImageFileError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise InputError(f"{path}: cannot be decoded ({reason}); replace it") from None


def _size(volume: nibabel.spatialimages.SpatialImage) -> str:
    return "x".join(map(str, volume.shape))


def _modality(path: Path) -> str | None:
    """Return ``t1``, ``t1c``, ``t2``, ``flair``, ``seg`` or, for another file, None."""
    words = re.split(r"[^a-z0-9]+", path.name.lower().removesuffix(".gz").removesuffix(".nii"))
    if _SEGMENTATION & set(words):
        return "seg"
    return next((_MODALITIES[word] for word in reversed(words) if word in _MODALITIES), None)


def _nifti_files(root: Path) -> Iterator[Path]:
    found = tree.files_below(root, "*.nii*")
    return (path for path in found if path.name.endswith((".nii", ".nii.gz")))


def is_brats_nifti(root: Path) -> bool:
    """Return whether any file below a folder is named as a BraTS modality in NIfTI."""
    return any(_modality(path) for path in _nifti_files(root))


def scan_brats_nifti(root: Path, slices: float = MIDDLE_HALF) -> tuple[list[Sample], list[str]]:
    """List the middle slices of each patient; only the segmentations' headers are read.

    Args:
        root: any folder above those of the patients.
        slices: share of each volume's slices that is taken, from the middle.

    Returns:
        The samples, a patient's folder being their group, and one line for each volume without
        segmentation, segmentation without volumes, second file of a modality, missing modality
        and unreadable header.
    """
    patients, problems = _patients(root)
    modalities = {name for files in patients.values() for name in files} - {"seg"}
    samples: list[Sample] = []
    for folder, files in sorted(patients.items(), key=lambda item: natural_order(str(item[0]))):
        lacking = _lacking(files, modalities)
        if lacking:
            problems.append(f"{folder}: {lacking}")
            continue
        try:
            depth = _open(files["seg"]).shape[2]
        except InputError as error:
            problems.append(str(error))
            continue
        name = folder.relative_to(root).as_posix() if folder != root else folder.resolve().name
        volumes = tuple(files[modality] for modality in _ORDER if modality in files)
        samples += [
            SliceSample(
                f"{name}/slice_{index:03d}", "", volumes[0], (files["seg"],), name, volumes, index
            )
            for index in middle(range(depth), slices)
        ]
    return samples, problems


def _patients(root: Path) -> tuple[dict[Path, dict[str, Path]], list[str]]:
    """Return the files of each folder by modality, and one line for each that is doubled."""
    patients: dict[Path, dict[str, Path]] = {}
    problems = []
    for path in sorted(_nifti_files(root)):
        if modality := _modality(path):
            other = patients.setdefault(path.parent, {}).setdefault(modality, path)
            if other != path:
                problems.append(f"{path}: same modality as {other.name}; remove one of them")
    return patients, problems


def _lacking(files: dict[str, Path], modalities: set[str]) -> str:
    """Say what a patient lacks, nothing if the files are whole."""
    if set(files) == {"seg"}:
        return "segmentation without volumes; add them or remove the folder"
    if "seg" not in files:
        return "volumes without segmentation; add NAME_seg.nii.gz or remove the folder"
    if missing := sorted(modalities - set(files)):
        return f"has no {missing[0]}, which other patients have; add it or remove the folder"
    return ""


def open_brats_nifti(root: Path, slices: float = MIDDLE_HALF) -> tuple[Dataset, list[str]]:
    """Return the slices, see :func:`scan_brats_nifti`, and what does not pair up."""
    tell(root, slices)
    samples, problems = scan_brats_nifti(root, slices)
    return BratsNiftiDataset("brats_nifti", tuple(samples), root, REGIONS), problems


LAYOUT = Layout(is_brats_nifti, open_brats_nifti, "brats2015_nifti", {"slices": share})
