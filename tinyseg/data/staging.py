"""Write a divided dataset as PNG files in the folders that other tools expect.

Classification: ``{train,validation,test}/LABEL/NAME.png``. Segmentation:
``{train,val,test}_images/{train,val,test}/NAME.png`` and likewise ``_masks``, all labels together.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tinyseg.data.augmentation import grey_levels, move
from tinyseg.data.balance import balanced_rows
from tinyseg.data.cache import filling
from tinyseg.data.dataset import Dataset, Sample
from tinyseg.data.images import encode_image
from tinyseg.data.splits import PARTS, Split
from tinyseg.errors import InputError
from tinyseg.progress import track

_SHORT = {"train": "train", "validation": "val", "test": "test"}


def stage(
    dataset: Dataset, split: Split, folder: str | Path, *, balance: bool = False, seed: int = 0
) -> dict[str, Any]:
    """Write the layouts of both tasks, as far as the dataset has masks and two labels or more.

    Args:
        dataset: grey or RGB images with at most one region.
        split: names of its samples by part.
        folder: absent or empty; written whole or not at all.
        balance: whether augmented copies ``NAME_augN.png`` make all labels of the training part
            equally frequent.
        seed: of the augmentation.

    Returns:
        ``{"folder", "tasks", "images": {part: {label: number}}}``.

    Raises:
        InputError: the folder is in use, or the images do not fit in PNG files.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: exists already; remove it or choose another folder")
    dataset = dataset.prepared()
    tasks = _tasks(dataset)
    _check_names(dataset)
    by_name = {sample.name: sample for sample in dataset.samples}
    counts: dict[str, dict[str, int]] = {}
    with filling(folder, "choose another folder") as temporary:
        for part in PARTS:
            samples = [by_name[name] for name in getattr(split, part)]
            labels = [sample.label for sample in samples]
            rows = np.arange(len(samples))
            if balance and part == "train":
                rows = balanced_rows(labels)
            writer = _Writer(dataset, temporary, part, tasks, seed)
            for row in track(rows.tolist(), f"staging {part}", len(rows)):
                writer.write(samples[row], row)
            counts[part] = dict(sorted(Counter(labels[row] for row in rows).items()))
    return {"folder": str(folder), "tasks": tasks, "images": counts}


def _tasks(dataset: Dataset) -> list[str]:
    labels = dataset.label_counts
    tasks = ["segmentation"] * bool(dataset.regions)
    tasks += ["classification"] * (len(labels) > 1 and "" not in labels)
    if len(dataset.regions) > 1:
        regions = ", ".join(dataset.regions)
        raise InputError(f"{dataset.root}: masks mark {regions}; staging takes one region only")
    return tasks


def _stem(sample: Sample) -> str:
    return sample.name.replace("/", "_")


def _check_names(dataset: Dataset) -> None:
    seen: dict[str, str] = {}
    for sample in dataset.samples:
        other = seen.setdefault(_stem(sample), sample.name)
        if other != sample.name:
            raise InputError(
                f"{dataset.root}: '{other}' and '{sample.name}' would both be "
                f"{_stem(sample)}.png; rename one of them"
            )


@dataclasses.dataclass
class _Writer:
    """Writes the samples of one part, and copies of those that come again."""

    dataset: Dataset
    folder: Path
    part: str
    tasks: list[str]
    seed: int
    seen: Counter = dataclasses.field(default_factory=Counter)

    def write(self, sample: Sample, row: int) -> None:
        image, mask = self.dataset.read(sample)
        stem = _stem(sample)
        if image.ndim == 3 and image.shape[-1] != 3:
            raise InputError(
                f"{sample.name}: has {image.shape[-1]} channels, which no PNG file holds; staging "
                "takes grey and RGB images"
            )
        if copy := self.seen[stem]:
            image, mask = _vary(image, mask, np.random.default_rng([self.seed, row, copy]))
            name = f"{stem}_aug{copy}.png"
        else:
            name = f"{stem}.png"
        self.seen[stem] += 1
        if "classification" in self.tasks:
            _save(self.folder / self.part / sample.label / name, image)
        if "segmentation" in self.tasks:
            short = _SHORT[self.part]
            _save(self.folder / f"{short}_images" / short / name, image)
            _save(self.folder / f"{short}_masks" / short / name, 255 * mask)


def _vary(
    image: np.ndarray, mask: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    moved, moved_mask = move(
        image.reshape(*image.shape[:2], -1), mask.reshape(*mask.shape[:2], -1), rng
    )
    levels = np.round(grey_levels(rng)).astype(np.uint8)
    return cv2.LUT(moved, levels).reshape(image.shape), moved_mask.reshape(mask.shape)


def _save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_image(pixels, ".png"))
