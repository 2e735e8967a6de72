"""The images of a plan at its network's size, and their division."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tinyseg import data, stores
from tinyseg.data import Dataset
from tinyseg.data.problems import Problem, grouped
from tinyseg.data.splits import Split, make_split, read_split
from tinyseg.data.staging import stage
from tinyseg.data.store import ImageStore, open_store
from tinyseg.errors import InputError
from tinyseg.plan import Plan, override
from tinyseg.zoo import network

SPLIT = "split.json"

log = logging.getLogger(__name__)


class OtherTaskError(InputError):
    """Images for segmentation met a network for classification, or the reverse."""


class Images(NamedTuple):
    """Images at the network's size, and their division."""

    store: ImageStore
    split: Split

    def part(self, name: str) -> ImageStore:
        """Return ``train``, ``validation``, ``test`` or ``all``."""
        return self.store if name == "all" else self.store.select(getattr(self.split, name))

    def filled(self, name: str) -> ImageStore:
        """Return a part that must hold images.

        Raises:
            InputError: it holds none.
        """
        part = self.part(name)
        if not len(part):
            raise InputError(f"{name} part: holds no images; choose another with --part")
        return part

    def calibration(self, plan: Plan) -> np.ndarray:
        """Return the representative dataset, from the training part.

        Returns:
            Network inputs float32 ``(images, height, width, channels)``.
        """
        from tinyseg.compression.quantization import calibration_rows

        names = self.split.train
        label_of = dict(zip(self.store.names, self.store.labels, strict=True))
        labels = [label_of[name] for name in names]
        rows = calibration_rows(labels, plan.quantization.calibration_images, plan.seed)
        # Of the whole training part a copy would be made.
        return self.store.select([names[row] for row in rows]).inputs(plan.preprocessing)


def divide_images(
    plan: Plan,
    split_file: str | Path | None = None,
    home: Path | None = None,
    dataset: Dataset | None = None,
) -> tuple[Plan, Images]:
    """Decode a plan's images and divide them, whatever its network is for.

    Args:
        plan: names the data and, if it was trained already, their fingerprint.
        split_file: division to use.
        home: folder of the trained network. If it was trained on these very images, its
            division is used, so that no training image becomes a test image.
        dataset: images to use instead of loading those that the plan names.

    Returns:
        The plan with the data's fingerprint, and the images.

    Raises:
        InputError: unusable data or split file.
    """
    if not plan.data.source and dataset is None:
        raise InputError(
            f"{plan.model.file or plan.model.name}: give its images and their masks or labels with "
            "--data"
        )
    store = open_store(dataset or data.load(plan.data.source), plan.preprocessing)
    warn(store.doubts)
    _compare_whites(plan, store)
    groups = store.groups()
    if not split_file and home and plan.data.fingerprint == store.fingerprint:
        split_file = home / SPLIT if (home / SPLIT).is_file() else None
    if split_file:
        split = read_split(split_file, store.names, groups)
    else:
        chosen = plan.data
        split = make_split(
            store.names,
            store.labels,
            groups,
            chosen.fractions,
            chosen.split_seed,
            chosen.folds,
            chosen.fold,
        )
    plan = dataclasses.replace(
        plan, data=dataclasses.replace(plan.data, fingerprint=store.fingerprint)
    )
    return plan, Images(store, split)


def open_images(
    plan: Plan,
    split_file: str | Path | None = None,
    home: Path | None = None,
    dataset: Dataset | None = None,
    task: str | None = None,
) -> tuple[Plan, Images]:
    """Decode and divide images that a plan's network can learn; see :func:`divide_images`.

    Args:
        plan, split_file, home, dataset: see there.
        task: what the network is for; None for what the zoo says.

    Raises:
        InputError: unusable data or split file, or data for another task.
    """
    task = task or network(plan.model.name).task
    plan, images = divide_images(plan, split_file, home, dataset)
    if images.store.task != task:
        cure = "choose other data or another network"
        if task == "classification":
            cure = f"take {plan.data.source}:task=classification or another network"
        raise OtherTaskError(
            f"{plan.data.source}: holds images for {images.store.task}, {plan.model.name} is a "
            f"network for {task}; {cure}"
        )
    known, found = plan.data.classes, images.store.classes
    if known and known != found:
        raise InputError(
            f"{plan.data.source}: holds {', '.join(found)}, {plan.model.name} was trained to "
            f"distinguish {', '.join(known)}; choose images of these classes"
        )
    chosen = dataclasses.replace(plan.data, classes=found, whites=images.store.whites)
    return dataclasses.replace(plan, data=chosen), images


def warn(doubts: Iterable[Problem]) -> None:
    """Say what is doubtful about images that are about to be used, equal doubts in one line."""
    for line in grouped(doubts):
        log.warning("%s", line)


def _compare_whites(plan: Plan, store: ImageStore) -> None:
    for kind, white in store.whites.items():
        known = plan.data.whites.get(kind, white)
        if known != white:
            log.warning(
                "warning: %s: white is %g here, %g where %s was trained; scale the images alike",
                plan.data.source,
                white,
                known,
                plan.model.name,
            )


def sample(images: ImageStore, count: int) -> ImageStore:
    """Return ``count`` of the images, or all if there are fewer; the same ones every time."""
    return images.take(images.spread(count))


def write_split(source: str, file: Path, changes: Mapping[str, Any]) -> Split:
    """Divide images as a plan would, and write the division.

    Args:
        source: name or path for :func:`tinyseg.data.load`.
        file: the split file.
        changes: values of the plan by dotted name, see :func:`tinyseg.plan.override`.

    Raises:
        InputError: unusable data or values.
    """
    _, images = divide_images(override(Plan(), {"data.source": source, **changes}))
    images.split.write(file)
    return images.split


def stage_images(
    source: str, folder: Path | str, changes: Mapping[str, Any], *, balance: bool = False
) -> dict[str, Any]:
    """Divide images as a plan would, and write them as PNG files by part.

    Args:
        source, changes: as of :func:`write_split`.
        folder: where the files go, a path or the URL of a folder in a store.
        balance: add augmented copies of rare labels to the training part.

    Returns:
        See :func:`tinyseg.data.staging.stage`.

    Raises:
        InputError: unusable data or values.
    """
    plan = override(Plan(), {"data.source": source, **changes})
    _, images = divide_images(plan)
    with stores.new_folder(folder) as local:
        staged = stage(data.load(source), images.split, local, balance=balance, seed=plan.seed)
    return {**staged, "folder": str(folder)}
