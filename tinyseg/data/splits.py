"""Divide a dataset into training, validation and test so that no near-duplicates are parted."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tinyseg import files
from tinyseg.errors import InputError

PARTS = ("train", "validation", "test")


@dataclasses.dataclass(frozen=True)
class Split:
    """Sample names by part.

    Attributes:
        train, validation, test: names in the dataset's order.
    """

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]

    def write(self, path: str | Path) -> Path:
        """Write the split as JSON."""
        return files.write_json(path, dataclasses.asdict(self))


def make_split(
    names: Sequence[str],
    labels: Sequence[str],
    groups: Sequence[int] | np.ndarray,
    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15),
    seed: int = 0,
    folds: int = 0,
    fold: int = 0,
) -> Split:
    """Split by group, with each label's share nearly equal in all parts.

    Args:
        names: unique sample names.
        labels: class of each sample.
        groups: group number of each sample; a group is never parted.
        fractions: shares of train, validation and test; they add up to 1.
        seed: of the random order.
        folds: divide what is not test into so many equal parts, of which one is for validation;
            0 for the shares of ``fractions``. The test part is the same for every fold.
        fold: the one for validation, from 0; -1 for none, so that all of them are for training.

    Raises:
        InputError: bad fractions or folds, or too few groups for a non-empty part.
    """
    wanted = np.asarray(fractions, float)
    if wanted.shape != (3,) or (wanted < 0).any() or not np.isclose(wanted.sum(), 1):
        raise InputError(
            f"data.fractions: {tuple(fractions)} must be three shares that add up to 1"
        )
    titles: tuple[str, ...] = PARTS
    validation = 1
    if folds:
        if folds < 2 or not -1 <= fold < folds:
            raise InputError(
                f"data.folds, data.fold: {folds} and {fold}; take two folds or more, and one of "
                "them, counted from 0, or -1 for none"
            )
        wanted = np.array([*[(1 - wanted[2]) / folds] * folds, wanted[2]])
        titles, validation = (*(f"fold {number}" for number in range(folds)), "test"), fold
    parts = _allocate(labels, groups, wanted, seed)
    for title, share, indices in zip(titles, wanted, parts, strict=True):
        if share > 0 and not indices:
            raise InputError(
                f"{title} split would be empty: {len(set(groups))} independent images are too "
                "few; add images or set its share in data.fractions to 0"
            )
    training = [
        index for number, part in enumerate(parts[:-1]) if number != validation for index in part
    ]
    chosen = (training, [] if fold < 0 else parts[validation], parts[-1])
    return Split(*(tuple(names[i] for i in sorted(indices)) for indices in chosen))


def _allocate(
    labels: Sequence[str], groups: Sequence[int] | np.ndarray, shares: np.ndarray, seed: int
) -> list[list[int]]:
    """Distribute samples by group, so that each part gets its share of each label.

    Groups are visited in seeded random order, the largest first, and each goes to the part
    that lacks most of the group's labels.
    """
    members: dict[int, list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(int(group), []).append(index)
    total = Counter(labels)
    missing = {label: shares * total[label] for label in sorted(total)}
    size = np.zeros(len(shares))
    rng = np.random.default_rng(seed)
    order = [list(members)[i] for i in rng.permutation(len(members))]
    order.sort(key=lambda group: -len(members[group]))
    parts: list[list[int]] = [[] for _ in shares]
    for group in order:
        counts = Counter(labels[i] for i in members[group])
        # The shortage that the group would fill, relative to what the part should hold.
        need = sum(
            count * missing[label] / np.maximum(shares * total[label], 1e-9)
            for label, count in counts.items()
        )
        # Where that ties, the part that is emptiest as a whole.
        need = need - 1e-9 * size / np.maximum(shares * len(labels), 1e-9)
        part = int(np.argmax(np.where(shares > 0, need, -np.inf)))
        size[part] += len(members[group])
        parts[part] += members[group]
        for label, count in counts.items():
            missing[label][part] -= count
    return parts


def read_split(path: str | Path, names: Sequence[str], groups: Sequence[int] | np.ndarray) -> Split:
    """Read a split file and hold it against the data.

    Raises:
        InputError: malformed file, names that the data lack, a sample in two parts, or
            near-duplicates in different parts.
    """
    content = files.read_json(path)
    if not isinstance(content, dict) or set(content) != set(PARTS):
        raise InputError(f"{path}: a split file has the keys {', '.join(PARTS)} and no other")
    for part in PARTS:
        if not isinstance(content[part], list) or not all(
            isinstance(name, str) for name in content[part]
        ):
            raise InputError(f"{path}: '{part}' must be a list of names; regenerate the split file")
    group_of = dict(zip(names, groups, strict=True))
    part_of_group: dict[int, tuple[str, str]] = {}
    seen: dict[str, str] = {}
    for part in PARTS:
        for name in content[part]:
            if name not in group_of:
                raise InputError(f"{path}: '{name}' is not in the data; regenerate the split file")
            if name in seen:
                raise InputError(
                    f"{path}: '{name}' stands in {seen[name]} and {part}; keep it in one"
                )
            seen[name] = part
            other, other_part = part_of_group.setdefault(int(group_of[name]), (name, part))
            if other_part != part:
                raise InputError(
                    f"{path}: near-duplicates '{other}' ({other_part}) and '{name}' ({part}) "
                    "are in different parts; move them into one"
                )
    return Split(*(tuple(content[part]) for part in PARTS))
