"""Measure tinyseg's input pipeline against the loops that notebooks have.

``compare(dataset, preprocessing)`` picks the plain loop by the dataset: OpenCV for pictures,
nibabel for volumes. Both sides decode, resize and normalise; neither augments, for that would
only add the same work to both. Ratios mean something, single rates little: machines are noisy.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import nibabel
import numpy as np

from tests.data.makers import MODALITIES, volume
from tinyseg.data import Dataset
from tinyseg.data.pipeline import training_batches
from tinyseg.data.store import open_store
from tinyseg.plan import PreprocessingPlan

BATCH = 8
_FEWEST_STEPS = 400
Loop = Callable[[Dataset, PreprocessingPlan], Iterator[tuple[np.ndarray, np.ndarray]]]


def opencv_loop(
    dataset: Dataset, preprocessing: PreprocessingPlan
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Read every image and mask file in every epoch, as scripts with OpenCV do."""
    size = (preprocessing.width, preprocessing.height)
    colour = preprocessing.channels == 3
    for sample in dataset.samples:
        image = cv2.imread(str(sample.image), cv2.IMREAD_COLOR if colour else cv2.IMREAD_GRAYSCALE)
        if colour:
            image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        mask = np.zeros(image.shape[:2], np.uint8)
        for path in sample.masks:
            mask |= cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        mask = cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST)
        yield image.astype(np.float32) / 255, (mask > 127).astype(np.float32)


def nibabel_loop(
    dataset: Dataset, preprocessing: PreprocessingPlan
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Load each patient's volumes with ``get_fdata`` in every epoch and go through the slices."""
    size = (preprocessing.width, preprocessing.height)
    loaded, arrays = None, []
    for sample in dataset.samples:
        if sample.files != loaded:
            loaded, arrays = sample.files, [nibabel.load(p).get_fdata() for p in sample.files]
        *channels, labels = (array[..., sample.index] for array in arrays)
        image = np.stack(channels, axis=-1).astype(np.float32)
        low, high = image.min((0, 1)), image.max((0, 1))
        image = cv2.resize((image - low) / (high - low + 1e-4), size, interpolation=cv2.INTER_AREA)
        mask = np.stack([np.isin(labels, own) for own in ((1, 3), (2,), (4,))], axis=-1)
        yield image, cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_NEAREST)


def compare(dataset: Dataset, preprocessing: PreprocessingPlan, rounds: int = 3) -> dict:
    """Return images a second of both, their ratio, and when tinyseg's first epoch has caught up.

    The image cache ($TINYSEG_CACHE) must not hold the dataset yet.

    Args:
        dataset: of picture files or of NIfTI volumes.
        preprocessing: size and channels of the network's input.
        rounds: epochs of each, in turns.
    """
    loop: Loop = nibabel_loop if hasattr(dataset.samples[0], "volumes") else opencv_loop
    start = time.perf_counter()
    store = open_store(dataset, preprocessing)
    first = time.perf_counter() - start
    steps = -(-len(store) // BATCH)
    batches = iter(training_batches(store, preprocessing, BATCH, ranges=None))
    for _ in range(steps):  # Let it start its threads.
        next(batches)
    # What was prefetched while the plain loop ran must not count for much.
    epochs = -(-_FEWEST_STEPS // steps)
    seconds: dict[str, list[float]] = {"plain": [], "tinyseg": []}
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in loop(dataset, preprocessing):
            pass
        seconds["plain"].append(time.perf_counter() - start)
        start = time.perf_counter()
        for _ in range(epochs * steps):
            next(batches)
        seconds["tinyseg"].append((time.perf_counter() - start) / epochs)
    plain, ours = (statistics.median(values) for values in seconds.values())
    return {
        "dataset": dataset.name,
        "images": len(dataset),
        "plain_images_per_s": len(dataset) / plain,
        "tinyseg_images_per_s": len(dataset) / ours,
        "ratio": plain / ours,
        "first_decode_s": first,
        "first_decode_over_plain_epoch": first / plain,
    }


def write_volumes(folder: Path, patients: int = 3, size: int = 240, depth: int = 155) -> Path:
    """Write patients of BraTS's size: a noisy head in four modalities, and labels."""
    rng = np.random.default_rng(0)
    y, x, z = np.ogrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j, -1 : 1 : depth * 1j]
    distance = np.sqrt(y**2 + x**2 + z**2)
    labels = np.select([distance < 0.2, distance < 0.3, distance < 0.4], [1, 4, 2])
    for patient in range(patients):
        name = f"BraTS20_Training_{patient:03d}"
        for modality in MODALITIES:
            values = rng.integers(100, 900, distance.shape, np.int16) * (distance < 0.8)
            volume(folder / name / f"{name}_{modality}.nii.gz", values.astype(np.int16))
        volume(folder / name / f"{name}_seg.nii.gz", labels.astype(np.uint8))
    return folder
