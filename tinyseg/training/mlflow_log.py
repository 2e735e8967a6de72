"""A training run in MLflow: its plan, the scores of each epoch, and the files at the end."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import tf_keras as keras

from tinyseg import files, presets
from tinyseg import plan as plans
from tinyseg.errors import InputError
from tinyseg.training.hooks import TrainingRun

# The run's number at the server, so that a resumed run goes on there.
MARK = "mlflow.json"
_LONGEST = 500


@dataclasses.dataclass(frozen=True)
class MlflowLog:
    """Logs a run to MLflow; a :class:`tinyseg.training.hooks.Hook`.

    Attributes:
        uri: of the tracking server, or a folder.

    Raises:
        InputError: MLflow is not installed.
    """

    uri: str

    def __post_init__(self) -> None:
        try:
            import mlflow  # noqa: F401
        except ImportError:
            raise InputError("--mlflow: needs MLflow; pip install 'tinyseg[mlflow]'") from None

    def __call__(self, run: TrainingRun) -> keras.callbacks.Callback:
        """Return what logs the run.

        Raises:
            InputError: the server cannot be reached.
        """
        return _Logger(run, self.uri)


class _Logger(keras.callbacks.Callback):
    def __init__(self, run: TrainingRun, uri: str) -> None:
        super().__init__()
        from mlflow import MlflowClient

        self._run, self._uri = run, uri
        self._client: Any = self._ask(lambda: MlflowClient(uri))
        mark = run.folder / MARK
        if run.epochs_done and mark.is_file():
            self._id = files.read_json(mark)["run_id"]
            return
        self._id = self._ask(self._create)
        files.write_json(mark, {"uri": uri, "run_id": self._id})

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Log the scores."""
        for name, value in (logs or {}).items():
            self._ask(self._client.log_metric, self._id, name, float(value), step=epoch + 1)

    def on_train_end(self, logs: dict | None = None) -> None:
        """Log the files of the run, and end it there."""
        for name in (presets.WEIGHTS, presets.HISTORY):
            if (self._run.folder / name).is_file():
                self._ask(self._client.log_artifact, self._id, str(self._run.folder / name))
        self._ask(self._client.set_terminated, self._id)

    def _create(self) -> str:
        name = f"tinyseg {self._run.plan.model.name}"
        found = self._client.get_experiment_by_name(name)
        number = found.experiment_id if found else self._client.create_experiment(name)
        made = self._client.create_run(number, run_name=self._run.folder.name)
        for key, value in _leaves(plans.as_dict(self._run.plan)):
            self._client.log_param(made.info.run_id, key, str(value)[:_LONGEST])
        return made.info.run_id

    def _ask(self, call: Any, *arguments: Any, **options: Any) -> Any:
        try:
            return call(*arguments, **options)
        except Exception as error:  # Servers raise errors of all kinds.
            reason = str(error).partition("\n")[0]
            raise InputError(f"--mlflow {self._uri}: cannot log there ({reason})") from None


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
