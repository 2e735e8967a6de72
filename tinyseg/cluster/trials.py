"""Trials of a search as they lie on disk: a training run each, and how it ended."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tinyseg import files
from tinyseg import plan as plans
from tinyseg.cluster.space import Axis, draw
from tinyseg.errors import InputError
from tinyseg.plan import Plan
from tinyseg.presets import HISTORY

# How a trial ended.
FINISHED, STOPPED, FAILED = "finished", "stopped", "failed"
_GOALS = {"val_lesion_dice": "validation Dice", "val_accuracy": "validation accuracy"}
# Fewer scores say nothing of what matters.
_LEAST = 5


@dataclasses.dataclass(frozen=True)
class Search:
    """What is searched, and where.

    Attributes:
        plan: of all trials, but for the values that are tried.
        axes: these values.
        folder: absolute, on storage that all machines share.
        split: file with the division of the images; empty for the plan's own.
    """

    plan: Plan
    axes: tuple[Axis, ...]
    folder: Path
    split: str = ""

    def values(self, trial: int) -> dict[str, Any]:
        """Return what a trial tries, by dotted name."""
        return draw(self.axes, self.plan.seed, trial)

    def plan_of(self, trial: int) -> Plan:
        """Return the plan of a trial, counted from 0."""
        return plans.override(self.plan, self.values(trial))

    def run_of(self, trial: int) -> Path:
        """Return the folder of a trial's training run."""
        return self.folder / "trials" / f"{trial:03d}"

    def mark(self, trial: int, state: str, error: str = "") -> None:
        """Note how a trial ended, so that it is not run again."""
        path = self.run_of(trial).with_suffix(".json")
        files.write_json(path, {"state": state, "error": error})

    def outcome(self, trial: int) -> Outcome:
        """Return what is known of a trial."""
        path = self.run_of(trial).with_suffix(".json")
        mark = files.read_json(path) if path.is_file() else {"state": "", "error": ""}
        return Outcome(trial, self.values(trial), epochs_of(self.run_of(trial)), **mark)

    def claim(self) -> None:
        """Make sure that the folder holds this search, or none yet.

        Raises:
            InputError: it holds another.
        """
        path = self.folder / "search.json"
        asked = {
            "plan": dataclasses.asdict(self.plan),
            "space": {axis.name: {axis.kind: list(axis.values)} for axis in self.axes},
            "split": self.split,
        }
        wanted = json.loads(json.dumps(asked))
        if not path.is_file():
            files.write_json(path, wanted)
        elif files.read_json(path) != wanted:
            raise InputError(
                f"{self.folder}: holds a search with another plan or space; choose another folder "
                "with -o, or remove this one"
            )


class Epoch(NamedTuple):
    """What an epoch makes of the validation images.

    Attributes:
        score: Dice of images with a lesion, or accuracy.
        missed: lesions of which nothing is found; None of classes.
        alarms: healthy images that are marked; None of classes.
    """

    score: float
    missed: int | None = None
    alarms: int | None = None


@dataclasses.dataclass(frozen=True)
class Outcome:
    """A trial.

    Attributes:
        trial: number, from 0.
        values: that it tried, by dotted name.
        epochs: what each has made.
        state: how it ended; empty if it did not yet.
        error: why it failed; empty otherwise.
    """

    trial: int
    values: Mapping[str, Any]
    epochs: tuple[Epoch, ...]
    state: str
    error: str

    @property
    def scores(self) -> tuple[float, ...]:
        """The score of each epoch."""
        return tuple(epoch.score for epoch in self.epochs)

    @property
    def best(self) -> float | None:
        """The best score; None before the first epoch."""
        return max(self.scores, default=None)

    @property
    def best_epoch(self) -> Epoch | None:
        """The first epoch with the best score; None before the first."""
        return max(self.epochs, key=lambda epoch: epoch.score, default=None)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        found = self.best_epoch
        return {
            "trial": self.trial,
            "state": self.state,
            "epochs": len(self.epochs),
            "score": self.best,
            "missed_lesions": found.missed if found else None,
            "false_alarms": found.alarms if found else None,
            "values": dict(self.values),
            "error": self.error,
        }


def epochs_of(run: Path) -> tuple[Epoch, ...]:
    """Return what each epoch of a training run has made of the validation images.

    Raises:
        InputError: the run has no validation images.
    """
    path = run / HISTORY
    if not path.is_file():
        return ()
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    key = next((key for key in _GOALS if key in rows[0]), None)
    if key is None:
        raise InputError(f"{path}: has no scores of validation images; give them a share")
    return tuple(
        Epoch(float(row[key]), _count(row, "val_missed_lesions"), _count(row, "val_false_alarms"))
        for row in rows
    )


def _count(row: Mapping[str, str], key: str) -> int | None:
    return round(float(row[key])) if row.get(key) else None


def importance(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Return how much of the trials' scores goes with each value, from 0 to 1, the most first.

    Of numbers it is the square of Spearman's rank correlation, of other values the share of the
    variance that lies between them (the correlation ratio). Too few trials give nothing.
    """
    scored = [outcome for outcome in outcomes if outcome.best is not None]
    if len(scored) < _LEAST:
        return {}
    scores = np.array([outcome.best for outcome in scored])
    shares = {
        name: _share([outcome.values[name] for outcome in scored], scores)
        for name in scored[0].values
    }
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def _share(values: Sequence[Any], scores: np.ndarray) -> float:
    if np.ptp(scores) == 0 or all(value == values[0] for value in values):
        return 0.0
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        from scipy.stats import spearmanr

        return float(spearmanr(values, scores).statistic ** 2)
    groups: dict[str, list[float]] = {str(value): [] for value in values}
    for value, score in zip(values, scores, strict=True):
        groups[str(value)].append(score)
    between = sum(len(part) * (np.mean(part) - scores.mean()) ** 2 for part in groups.values())
    return float(between / np.square(scores - scores.mean()).sum())
