"""Look through a dataset for everything that would spoil training, before any is done."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
import os
from pathlib import Path
from typing import Any

import numpy as np

from tinyseg.data import Dataset, Sample, doubts, images, scan, tree
from tinyseg.data.balance import imbalance
from tinyseg.data.doubts import Duplicate
from tinyseg.data.examination import Facts, examine
from tinyseg.data.problems import Problem, grouped, problem_of
from tinyseg.errors import InputError
from tinyseg.progress import track


@dataclasses.dataclass(frozen=True)
class DataReport:
    """What a dataset holds and what is wrong with it. Values are None where nothing can be read.

    Attributes:
        dataset: the name or path that was checked.
        root: the folder, None for generated data.
        images, masks: number of images that have masks, and of those masks.
        several_masks, empty_masks: number of images with several masks, with no foreground.
        labels, label_fractions: number and share of the images of each label.
        imbalance: images of the commonest label over those of the rarest.
        sizes: ``width`` and ``height`` in pixels as ``min``, ``median`` and ``max``, and the
            number of ``distinct`` sizes, EXIF orientation applied.
        foreground: share of foreground pixels, ``mean`` over images and ``pooled``.
        duplicates: pairs of near-duplicates, highest correlation first; of the images of one
            patient only the middle one is held against others.
        problems: errors first.
        task: ``segmentation`` or ``classification``.
        regions: pooled share of pixels of each region of the masks.
    """

    dataset: str
    root: str | None
    images: int
    masks: int
    several_masks: int
    empty_masks: int
    labels: dict[str, int]
    label_fractions: dict[str, float]
    imbalance: float | None
    sizes: dict[str, Any] | None
    foreground: dict[str, float] | None
    duplicates: tuple[Duplicate, ...]
    problems: tuple[Problem, ...]
    task: str = "segmentation"
    regions: dict[str, float] = dataclasses.field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether there are no errors."""
        return all(problem.severity != "error" for problem in self.problems)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values that ``json.dumps`` takes."""
        return {**dataclasses.asdict(self), "ok": self.ok}

    def as_text(self) -> str:
        """Return lines for a person: the numbers, then every problem."""
        lines = [f"{self.dataset}: {self.images} images"]
        if self.task == "segmentation":
            lines[0] += (
                f", {self.masks} masks ({self.several_masks} images with several, "
                f"{self.empty_masks} with no foreground)"
            )
        for label, count in self.labels.items():
            lines.append(f"label {label or '(none)'}: {count} ({self.label_fractions[label]:.1%})")
        if self.sizes:
            for side in ("width", "height"):
                least, median, greatest = self.sizes[side].values()
                lines.append(f"{side}: {least} to {greatest} pixels, median {median:g}")
        if self.foreground:
            mean, pooled = self.foreground.values()
            lines.append(f"foreground: {mean:.1%} of an image, {pooled:.1%} of all pixels")
        if len(self.regions) > 1:
            shown = ", ".join(f"{name} {share:.2%}" for name, share in self.regions.items())
            lines.append(f"regions, of all pixels: {shown}")
        lines += grouped(self.problems)
        errors = sum(problem.severity == "error" for problem in self.problems)
        return "\n".join([*lines, f"{errors} errors, {len(self.problems) - errors} warnings"])


def check(name_or_path: str | os.PathLike[str]) -> DataReport:
    """Pair and open all files of a dataset and list every problem, not only the first.

    Args:
        name_or_path: as for :func:`tinyseg.data.load`.

    Returns:
        The report. A folder that holds no image at all gives a report with an error.

    Raises:
        InputError: there is no such folder, or it holds images in an unknown layout.
    """
    text = os.fspath(name_or_path)
    dataset, problems = _scan(text)
    dataset, more = _surveyed(dataset)
    problems += more
    where = str(dataset.root or text)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        inspected = pool.map(functools.partial(examine, dataset), dataset.samples)
        facts = list(track(inspected, f"checking {dataset.name}", len(dataset)))
    problems += [problem for fact in facts for problem in fact.problems]
    counts, pairs = dataset.label_counts, _find_duplicates(facts)
    for message in (*doubts.of_duplicates(pairs), *doubts.of_balance(counts)):
        problems.append(Problem("warning", where, message))
    return DataReport(
        dataset=text,
        root=where if dataset.root else None,
        images=len(dataset),
        masks=sum(_mask_count(dataset, sample) for sample in dataset.samples),
        several_masks=sum(len(sample.masks) > 1 for sample in dataset.samples),
        empty_masks=sum(fact.foreground == 0 for fact in facts),
        labels=counts,
        label_fractions={label: count / len(dataset) for label, count in counts.items()},
        imbalance=imbalance(counts),
        task=dataset.task,
        regions=_regions(dataset, facts),
        sizes=_sizes([fact.shape for fact in facts if fact.shape]),
        foreground=_foreground(facts),
        duplicates=pairs,
        problems=tuple(sorted(problems, key=lambda problem: problem.severity != "error")),
    )


def _mask_count(dataset: Dataset, sample: Sample) -> int:
    """Return the number of mask files; a sample that holds its own mask has one."""
    return 0 if not dataset.regions else len(sample.masks) or 1


def _scan(text: str) -> tuple[Dataset, list[Problem]]:
    """List samples and pairing problems without opening a file."""
    root = Path(text)
    try:
        dataset, lines = scan(text)
    except InputError:
        if not root.is_dir() or any(images.is_image(path) for path in tree.files_below(root)):
            raise
        dataset, lines = Dataset(root.name, (), root), []
    if not dataset.samples and not lines:
        kinds = ", ".join(sorted(images.IMAGE_SUFFIXES))
        lines = [f"{dataset.root}: holds no images; add {kinds} files"]
    return dataset, [problem_of(line) for line in lines]


def _surveyed(dataset: Dataset) -> tuple[Dataset, list[Problem]]:
    """Find how the files are read, and what is doubtful or asked about that."""
    dataset = dataset.surveyed()
    assert dataset.reading is not None
    question = dataset.reading.question
    problems = [problem_of(question)] if question else []
    return dataset, [*problems, *dataset.reading.doubts]


def _find_duplicates(facts: list[Facts]) -> tuple[Duplicate, ...]:
    known = [(f.sample, f.signature, f.outline) for f in facts if f.signature is not None]
    if not known:
        return ()
    samples, signatures, outlines = zip(*known, strict=True)
    return doubts.find_duplicates(samples, np.stack(signatures), outlines)


def _sizes(shapes: list[tuple[int, int]]) -> dict[str, Any] | None:
    if not shapes:
        return None
    sizes: dict[str, Any] = {"distinct": len(set(shapes))}
    for side, values in zip(("height", "width"), zip(*shapes, strict=True), strict=True):
        median = float(np.median(values))
        sizes[side] = {"min": min(values), "median": median, "max": max(values)}
    return sizes


def _regions(dataset: Dataset, facts: list[Facts]) -> dict[str, float]:
    known = [(f.regions, f.shape) for f in facts if f.regions is not None and f.shape]
    if not known:
        return {}
    counts, shapes = zip(*known, strict=True)
    shares = np.sum(counts, axis=0) / np.prod(shapes, axis=1).sum()
    return dict(zip(dataset.regions, shares.tolist(), strict=True))


def _foreground(facts: list[Facts]) -> dict[str, float] | None:
    known = [(f.foreground, f.shape) for f in facts if f.foreground is not None and f.shape]
    if not known:
        return None
    counts = np.array([marked for marked, _ in known], float)
    areas = np.prod([shape for _, shape in known], axis=1)
    return {"mean": float((counts / areas).mean()), "pooled": float(counts.sum() / areas.sum())}
