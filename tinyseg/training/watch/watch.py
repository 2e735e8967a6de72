"""The hook that watches a training run by rules, and writes what they find."""

from __future__ import annotations

import csv
import dataclasses
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from tinyseg import files
from tinyseg.data.store import ImageStore
from tinyseg.errors import GateError, InputError
from tinyseg.presets import FINDINGS, HISTORY
from tinyseg.training.epochs import judging_batches, learning_batches, steps_of
from tinyseg.training.hooks import TrainingRun
from tinyseg.training.losses import mask_loss
from tinyseg.training.watch.rules import Finding, Seen, findings
from tinyseg.training.watch.sight import Probe, Sight
from tinyseg.training.watch.thresholds import WATCH_RULES, known, thresholds

log = logging.getLogger(__name__)

# Images of the fixed batch: enough for a mean, and a fraction of a step.
_IMAGES = 4
_SHARE = 0.03
# Looks that rules need at most, and those that are taken whatever they cost.
_KEPT, _FIRST = 4, 2
_DRAWN, _TIMED = 3, 2


class Stopped(GateError):
    """A run that a rule of ``--stop-on`` ended after an epoch whose state is saved."""


@dataclasses.dataclass(frozen=True)
class Watch:
    """Watches runs; a :class:`tinyseg.training.hooks.Hook`.

    Attributes:
        preset: of thresholds, see :mod:`tinyseg.training.watch.thresholds`.
        stop_on: rules that end the run.
        share: of the run's time that looks at the network may take; beyond it they are left out,
            but for the first two. Rules on losses are checked after every epoch.

    Raises:
        InputError: no such preset or rule.
    """

    preset: str = "calm"
    stop_on: Sequence[str] = ()
    share: float = _SHARE

    def __post_init__(self) -> None:
        for rule in self.stop_on or WATCH_RULES:
            thresholds(known(rule), self.preset)

    def __call__(self, run: TrainingRun) -> keras.callbacks.Callback:
        """Return what watches a run."""
        return Watcher(run, self)


class Watcher(keras.callbacks.Callback):
    """Watches one run: warns once a rule, writes ``rules.json`` and TensorBoard's ``watch``.

    Args:
        run: what is watched.
        watch: by what.
    """

    def __init__(self, run: TrainingRun, watch: Watch) -> None:
        super().__init__()
        self._run, self._watch = run, watch
        self._path = run.folder / FINDINGS
        self._found = list(_before(self._path, run.epochs_done))
        self._history = _history(run.folder / HISTORY, run.epochs_done)
        self._sights: list[Sight] = []
        self._spent, self._looks, self._left_out = 0.0, 0, 0
        self._epochs_here = 0
        self._counts = _counts(run.training)
        fresh = not run.epochs_done and not run.plan.training.initial_weights
        self._fresh = fresh or bool(self._history)
        self._writer: Any = None

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Look at the network before the first step."""
        if self._writer is None:
            self._start = time.perf_counter()
            self._probe = self._probed()
            folder = self._run.folder / "tensorboard" / "watch"
            self._writer = tf.summary.create_file_writer(str(folder))
            if not self._run.epochs_done:
                self._check(0)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Note the time."""
        self._epoch_start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Check all rules.

        Raises:
            Stopped: one that is to stop the run has found something.
        """
        self._history.append({key: float(value) for key, value in (logs or {}).items()})
        # The first epoch here also compiles the step.
        seconds = time.perf_counter() - self._epoch_start
        self._epochs_here += 1
        self._check(epoch + 1, self._timed(seconds) if self._epochs_here == _TIMED else None)

    def _check(self, epoch: int, waiting: float | None = None) -> None:
        start = time.perf_counter()
        if self._looks < _FIRST or self._spent < self._watch.share * (start - self._start):
            self._sights = [*self._sights, self._probe.look(epoch)][-_KEPT:]
            self._looks += 1
        else:
            self._left_out += 1
        seen = Seen(epoch, self._history, self._sights, self._counts, self._fresh, waiting)
        fresh = [
            finding
            for rule in WATCH_RULES
            for finding in findings(seen, rule, thresholds(rule, self._watch.preset))
        ]
        self._report(fresh, epoch)
        self._spent += time.perf_counter() - start
        self._write()
        self._stop(fresh)

    def _report(self, found: Sequence[Finding], epoch: int) -> None:
        known_rules = {finding.rule for finding in self._found}
        for rule in dict.fromkeys(finding.rule for finding in found):
            of_rule = [finding for finding in found if finding.rule == rule]
            with self._writer.as_default():
                tf.summary.scalar(f"watch/{rule}", len(of_rule), epoch)
            if rule not in known_rules:
                log.warning("warning: %s", _line(of_rule))
        self._found += found
        self._writer.flush()

    def _write(self) -> None:
        whole = max(time.perf_counter() - self._start, 1e-9)
        rules = {
            name: {
                "finds": rule.finds,
                "cure": rule.cure,
                "thresholds": _finite(thresholds(name, self._watch.preset)),
                "source": _source(name, self._watch.preset),
            }
            for name, rule in WATCH_RULES.items()
        }
        files.write_json(
            self._path,
            {
                "preset": self._watch.preset,
                "looks": self._looks,
                "looks_left_out": self._left_out,
                "seconds": round(self._spent, 3),
                "share": round(self._spent / whole, 4),
                "found": [_plain(finding) for finding in self._found],
                "rules": rules,
            },
        )

    def _stop(self, found: Sequence[Finding]) -> None:
        for rule in self._watch.stop_on:
            of_rule = [finding for finding in found if finding.rule == rule]
            if of_rule:
                raise Stopped(
                    f"{self._run.folder}: stopped by --stop-on: {_line(of_rule)}; without "
                    "--stop-on the run goes on from there"
                )

    def _probed(self) -> Probe:
        run = self._run
        batch = run.training.take(_rows(run.training))
        images, truth = next(iter(judging_batches(batch, run.plan)))
        classes, settings = run.training.classes, run.plan.training
        loss = keras.losses.CategoricalCrossentropy() if classes else mask_loss(settings)
        return Probe(run.network, images, truth, loss, classes)

    def _timed(self, epoch_seconds: float) -> float | None:
        """Return the share of a step's time in which its images are made; None of few steps."""
        steps = steps_of(self._run.training, self._run.plan.training)
        if steps < _DRAWN:
            return None
        start = time.perf_counter()
        batches = iter(learning_batches(self._run.training, self._run.plan, 0))
        next(batches)
        first = time.perf_counter()
        for _ in range(_DRAWN - 1):
            next(batches)
        end = time.perf_counter()
        self._spent += end - start
        return (end - first) / (_DRAWN - 1) / (epoch_seconds / steps)


def _rows(images: ImageStore) -> list[int]:
    """Return a few rows: one of each label first, then all over."""
    labels = list(images.labels)
    chosen = [labels.index(label) for label in dict.fromkeys(labels)][:_IMAGES]
    if not images.classes and images.masks.shape[-1]:
        marked = np.flatnonzero(images.masks[: 64 * _IMAGES].any((1, 2, 3)))
        chosen = [*marked[: _IMAGES // 2].tolist(), *chosen]
    return list(dict.fromkeys([*chosen, *images.spread(_IMAGES)]))[:_IMAGES]


def _counts(images: ImageStore) -> dict[str, int]:
    if images.classes:
        labels = list(images.labels)
        return {name: labels.count(name) for name in images.classes}
    inside = int(np.count_nonzero(images.masks))
    return {"foreground": inside, "background": images.masks.size - inside}


def _history(path: Path, epochs: int) -> list[dict[str, float]]:
    if not epochs or not path.is_file():
        return []
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))[:epochs]
    return [{key: float(value) for key, value in row.items() if value} for row in rows]


def _before(path: Path, epochs: int) -> Iterable[Finding]:
    """Yield what was found before a run was interrupted."""
    if not epochs or not path.is_file():
        return
    try:
        for row in files.read_json(path)["found"]:
            if row["epoch"] <= epochs:
                yield Finding(**{**row, "value": float(row["value"])})
    except (InputError, LookupError, TypeError, ValueError):
        return


def _plain(finding: Finding) -> dict[str, Any]:
    value = finding.value
    return {**vars(finding), "value": value if np.isfinite(value) else str(value)}


def _finite(bounds: Mapping[str, float]) -> dict[str, float | str]:
    return {name: value if np.isfinite(value) else str(value) for name, value in bounds.items()}


def _source(name: str, preset: str) -> str:
    published = WATCH_RULES[name].published
    if preset == "sagemaker":
        return f"SageMaker Debugger's {published}"
    return f"tinyseg's own choice, calmer than SageMaker Debugger's {published}"


def _line(found: Sequence[Finding]) -> str:
    """Return what one rule found in one line."""
    first, rule = found[0], WATCH_RULES[found[0].rule]
    where = f" in {first.layer}" if first.layer else ""
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    when = f"after epoch {first.epoch}" if first.epoch else "before the first epoch"
    return f"{first.rule} {when}{where}{more}: {first.says}; {rule.cure}"
