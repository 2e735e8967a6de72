"""A search of plans on Ray Tune: trials side by side, the poor ones stopped early."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import io
import logging
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyseg import files
from tinyseg import plan as plans
from tinyseg.cluster.space import read_space
from tinyseg.cluster.trials import FAILED, FINISHED, STOPPED, Outcome, Search, importance
from tinyseg.errors import GateError, InputError, TinysegError
from tinyseg.presets import run_folder
from tinyseg.reporting.parallel_chart import parallel_coordinates

if TYPE_CHECKING:
    from ray.tune import Tuner

    from tinyseg.training.hooks import Hook

log = logging.getLogger(__name__)

# Of three trials that have come as far, one goes on.
_KEPT = 3
_RETRIES = 2
_STARTS = 3
_ANSWER_SECONDS = 20
_STORE_BYTES = 100_000_000


@dataclasses.dataclass(frozen=True)
class Found:
    """What a search ends with.

    Attributes:
        folder: of the search.
        plan: file with the best plan.
        best: the trial that had it.
        outcomes: all trials.
        importance: see :func:`tinyseg.cluster.trials.importance`.
    """

    folder: Path
    plan: Path
    best: Outcome
    outcomes: tuple[Outcome, ...]
    importance: Mapping[str, float]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "folder": str(self.folder),
            "plan": str(self.plan),
            "best": self.best.as_dict(),
            "trials": [outcome.as_dict() for outcome in self.outcomes],
            "importance": dict(self.importance),
        }


def searched(
    model: str,
    changes: Mapping[str, Any],
    plan_file: str | Path | None,
    space: str | Path,
    split: str | Path | None = None,
    folder: str | Path | None = None,
) -> Search:
    """Return a search, its images decoded once for all of its trials.

    Args:
        model, changes, plan_file: as of :func:`tinyseg.steps.networks.training_plan`.
        space: file with what is tried.
        split: file with the division of the images; None for the plan's own.
        folder: where the results go; None for ``build/MODEL/DATA/tune``.

    Raises:
        InputError: unusable plan, space or images, or none to validate by.
    """
    from tinyseg.steps.networks import training_plan
    from tinyseg.steps.session import Session

    plan = training_plan(model, changes, plan_file)
    axes = read_space(space, plan)
    session = Session(plan, split_file=split)
    if not len(session.images.part("validation")):
        raise InputError(
            f"{plan.data.source}: no images to compare trials by; give data.fractions a share for "
            "validation"
        )
    absolute = Path(folder or run_folder(plan, "tune")).resolve()
    return Search(plan, axes, absolute, str(Path(split).resolve()) if split else "")


def tune(search: Search, trials: int, parallel: int, address: str = "") -> Found:
    """Run the trials of a search that have not ended yet, and report on all of them.

    Args:
        search: what is tried; its folder may hold trials of an earlier call.
        trials: how many there are in all.
        parallel: so many at once.
        address: of a Ray cluster, ``HOST:PORT``; empty for this machine alone.

    Raises:
        InputError: Ray is missing or does not answer, or the folder holds another search.
        GateError: no trial has come to a score.
        KeyboardInterrupt: it was interrupted; a second call goes on.
    """
    _need_ray()
    search.claim()
    states = [search.outcome(trial).state for trial in range(trials)]
    # What killed a trial may be gone.
    if not all(state and state != FAILED for state in states):
        _run(search, trials, parallel, address)
    outcomes = tuple(search.outcome(trial) for trial in range(trials))
    if not all(outcome.state for outcome in outcomes):
        raise KeyboardInterrupt
    return _report(search, outcomes)


def _need_ray() -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Ray gives trials 15, so that anything else on the machine would starve them.
    os.environ.setdefault("RAY_worker_niceness", "0")
    # Trials find files by paths that are relative to where the user is.
    os.environ["RAY_CHDIR_TO_TRIAL_DIR"] = "0"
    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    try:
        import ray.tune  # noqa: F401
    except ImportError:
        raise InputError("tune: needs Ray; pip install 'tinyseg[cluster]'") from None


def _run(search: Search, trials: int, parallel: int, address: str) -> None:
    import ray

    # Short, as sockets lie in it; on a cluster all machines have to see what Ray notes.
    scratch = Path(tempfile.mkdtemp(prefix="ts", dir=search.folder if address else "/tmp"))
    threads = str(max(1, (os.cpu_count() or 1) // parallel))
    names = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    variables = {name: os.environ.get(name, threads) for name in names}
    variables["RAY_CHDIR_TO_TRIAL_DIR"] = "0"
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    options["runtime_env"] = {"env_vars": variables}
    if address:
        _need_answer(address)
        options["address"] = address
    else:
        options |= {"num_cpus": parallel, "include_dashboard": False, "_temp_dir": str(scratch)}
        options["object_store_memory"] = _STORE_BYTES
    try:
        _begin(options, f"--address {address}" if address else "tune")
        with contextlib.redirect_stdout(sys.stderr):  # Results alone go to the other.
            _tuner(search, trials, parallel, scratch).fit()
    finally:
        ray.shutdown()
        shutil.rmtree(scratch, ignore_errors=True)


def _need_answer(address: str) -> None:
    """Ray itself looks for minutes.

    Raises:
        InputError: nobody listens at an address.
    """
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), _ANSWER_SECONDS).close()
    except (OSError, ValueError) as error:
        raise InputError(
            f"--address {address}: nobody answers ({error}); give HOST:PORT of 'ray start --head'"
        ) from None


def _begin(options: dict[str, Any], where: str) -> None:
    """Start Ray, once more if its processes do not come up in time, as on a busy machine.

    Raises:
        InputError: it does not start or answer.
    """
    import ray

    for left in reversed(range(_STARTS)):
        try:
            ray.init(**options)
            return
        except Exception as error:
            # Of no common kind: a port in use, an address where nobody answers.
            ray.shutdown()
            if not left:
                reason = str(error).partition("\n")[0]
                raise InputError(f"{where}: Ray does not start or answer ({reason})") from None


def _tuner(search: Search, trials: int, parallel: int, scratch: Path) -> Tuner:
    import ray
    from ray import tune as ray_tune
    from ray.tune.schedulers import ASHAScheduler

    epochs = search.plan.training.epochs
    scheduler = ASHAScheduler(
        time_attr="epoch",
        max_t=max(epochs, 2),
        grace_period=max(1, epochs // _KEPT**2),
        reduction_factor=_KEPT,
        # Trials end by themselves, with all their files written.
        stop_last_trials=False,
    )
    resources = {"cpu": 1.0}
    if gpus := ray.cluster_resources().get("GPU", 0):
        resources["gpu"] = min(1.0, gpus / parallel)

    def trainable(config: dict[str, Any]) -> None:
        run_trial(search, config["trial"], ray_tune.report)

    return ray_tune.Tuner(
        ray_tune.with_resources(trainable, resources),
        param_space={"trial": ray_tune.grid_search(list(range(trials)))},
        tune_config=ray_tune.TuneConfig(
            metric="score", mode="max", scheduler=scheduler, max_concurrent_trials=parallel
        ),
        run_config=ray_tune.RunConfig(
            name="search",
            storage_path=str(scratch),
            failure_config=ray_tune.FailureConfig(max_failures=_RETRIES),
            callbacks=[_marker(search)],
            verbose=0,
        ),
    )


def _marker(search: Search) -> Any:
    """Return what notes the end of each trial, where the search is run from."""
    from ray.tune import Callback

    class Marker(Callback):
        def on_trial_complete(self, iteration: int, trials: list, trial: Any, **info: Any) -> None:
            self._end(trial.config["trial"], STOPPED)

        def on_trial_error(self, iteration: int, trials: list, trial: Any, **info: Any) -> None:
            reason = f"its process died or failed {_RETRIES + 1} times"
            self._end(trial.config["trial"], FAILED, reason)

        def _end(self, number: int, state: str, error: str = "") -> None:
            # The trial itself has noted that it is finished, or why it cannot go on.
            if not search.outcome(number).state:
                search.mark(number, state, error)
            outcome = search.outcome(number)
            score = "no score" if outcome.best is None else f"{outcome.best:.4f}"
            log.info(
                "trial %d %s after %d epochs: %s%s", number, outcome.state, len(outcome.scores),
                score, f" ({outcome.error})" if outcome.error else "",
            )  # fmt: skip

    return Marker()


def run_trial(search: Search, trial: int, report: Callable[[dict[str, Any]], None]) -> None:
    """Run a trial, or what an earlier process left of it.

    What is done is reported again, so that the scheduler knows it after a restart.

    Args:
        search: of which it is a trial.
        trial: its number.
        report: called with ``epoch`` and ``score``, the best up to it, of all epochs.
    """
    from tinyseg.steps.train import train

    outcome = search.outcome(trial)
    over = outcome.state in (FINISHED, STOPPED)
    _tell(outcome, 0, len(outcome.scores) - (not over), report)
    if over:
        return
    try:
        hooks = [_reporting(search, trial, report)]
        train(search.plan_of(trial), search.run_of(trial), search.split or None, hooks)
    except TinysegError as error:
        search.mark(trial, FAILED, str(error))
        return
    search.mark(trial, FINISHED)
    outcome = search.outcome(trial)
    _tell(outcome, max(len(outcome.scores) - 1, 0), len(outcome.scores), report)


def _tell(outcome: Outcome, first: int, end: int, report: Callable[[dict[str, Any]], None]) -> None:
    for epoch in range(first, end):
        report({"epoch": epoch + 1, "score": max(outcome.scores[: epoch + 1])})


def _reporting(search: Search, trial: int, report: Callable[[dict[str, Any]], None]) -> Hook:
    """Return a hook that reports every epoch but the last, which is when all files are written."""
    import tf_keras as keras

    class Report(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
            if epoch + 1 < search.plan_of(trial).training.epochs:
                _tell(search.outcome(trial), epoch, epoch + 1, report)

    return lambda run: Report()


def _report(search: Search, outcomes: Sequence[Outcome]) -> Found:
    """Write the best plan, the table and the picture."""
    scored = [outcome for outcome in outcomes if outcome.best is not None]
    if not scored:
        reasons = {outcome.error for outcome in outcomes if outcome.error}
        raise GateError(f"{search.folder}: no trial came to a score; {'; '.join(sorted(reasons))}")
    best = max(scored, key=lambda outcome: (outcome.best, -outcome.trial))
    shares = importance(outcomes)
    files.write_text(search.folder / "trials.csv", _table(outcomes))
    files.write_json(search.folder / "importance.json", shares)
    picture = parallel_coordinates([outcome.as_dict() for outcome in scored], shares)
    files.write_bytes(search.folder / "trials.png", picture)
    path = plans.write(search.plan_of(best.trial), search.folder)
    return Found(search.folder, path, best, tuple(outcomes), shares)


def _table(outcomes: Sequence[Outcome]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    for number, outcome in enumerate(outcomes):
        facts = outcome.as_dict()
        values, error = facts.pop("values"), facts.pop("error")
        if not number:
            writer.writerow([*facts, *values, "error"])
        writer.writerow([*facts.values(), *values.values(), error])
    return stream.getvalue()
