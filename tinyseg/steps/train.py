"""Train a network on images."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyseg import presets, stores
from tinyseg.data.store import ImageStore
from tinyseg.errors import InputError
from tinyseg.plan import Plan
from tinyseg.scoring.scores import lesions, score_background
from tinyseg.steps.evaluate import score
from tinyseg.steps.images import SPLIT
from tinyseg.steps.networks import load_trained, with_outputs
from tinyseg.steps.session import Session
from tinyseg.zoo import build

if TYPE_CHECKING:
    import tf_keras as keras

    from tinyseg.training.hooks import Hook
    from tinyseg.training.workers import Workers

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Trained:
    """A network that was trained.

    Attributes:
        folder: of the run.
        weights: the best ones.
        validation: their scores, see :func:`validation_scores`.
        url: where the folder was uploaded to; empty for one that is here.
    """

    folder: Path
    weights: Path
    validation: dict[str, Any]
    url: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        folder, weights = self.url or str(self.folder), str(self.weights)
        if self.url:
            weights = f"{self.url}/{self.weights.name}"
        rest = {name: value for name, value in vars(self).items() if name != "url"}
        return {**rest, "folder": folder, "weights": weights}


def train(
    plan: Plan,
    folder: str | Path | None = None,
    split_file: str | Path | None = None,
    hooks: Sequence[Hook] = (),
    workers: Workers | None = None,
) -> Trained:
    """Train a network and score its best weights on the validation part, if there is one.

    Args:
        plan: network, images and training.
        folder: where the results go, a path or the URL of a folder in a store, to which the
            state of every epoch is uploaded too; None for ``build/MODEL/DATA/float``.
        split_file: division of the images; None for a new one.
        hooks: follow the run, see :class:`tinyseg.training.hooks.Hook`.
        workers: this process among those that train together; None for it alone. Only the chief
            scores the network.

    Raises:
        InputError: unusable plan, images or split file, or a folder with another run.
        Left: SIGTERM or SIGUSR1 came; the run can go on.
        LostWorker: another worker ended; the run can go on.
    """
    with stores.run_folder(folder) as (local, store):
        if store is None:
            return _train(plan, local, split_file, hooks, workers)
        if workers is not None:
            raise InputError(f"{folder}: several workers need a folder that all of them can open")
        from tinyseg.training.hooks import AfterEpoch

        trained = _train(plan, local, split_file, [*hooks, AfterEpoch(store.save_state)])
    return dataclasses.replace(trained, url=store.url)


def _train(
    plan: Plan,
    folder: Path | None,
    split_file: str | Path | None,
    hooks: Sequence[Hook],
    workers: Workers | None = None,
) -> Trained:
    from tinyseg.training.loop import new_network, train_network
    from tinyseg.training.workers import ALONE

    # A published plan names the weights that it led to, and the classes that these say.
    data_plan = dataclasses.replace(plan.data, classes=(), whites={})
    session = Session(dataclasses.replace(plan, weights="", data=data_plan), split_file=split_file)
    build(*plan.network)  # Refuses wrong arguments before images are decoded.
    images = session.images
    session.plan = with_outputs(session.plan, images.store)
    folder = folder or session.run_folder("float")
    workers = workers or ALONE
    with workers.scope():
        model = new_network(session.plan)
    parts = images.part("train"), images.part("validation")
    train_network(model, session.plan, *parts, folder, hooks, workers)
    if workers.alone:
        return finish(model, session, folder)
    if not workers.chief:
        return Trained(Path(folder), Path(folder) / presets.WEIGHTS, {})
    # One of its own: values that the workers share cannot be read by the chief alone.
    return finish(load_trained(session.plan, Path(folder) / presets.WEIGHTS), session, folder)


def watching(preset: str, stop_on: Sequence[str] = ()) -> Hook:
    """Return the hook that watches a run by rules, see :class:`tinyseg.training.watch.watch.Watch`.

    Args:
        preset: ``calm`` or ``sagemaker``.
        stop_on: rules that end the run.

    Raises:
        InputError: no such preset or rule.
    """
    from tinyseg.training.watch.watch import Watch

    return Watch(preset, tuple(stop_on))


def logging_to_mlflow(uri: str) -> Hook:
    """Return the hook that logs a run to MLflow.

    Args:
        uri: of the tracking server, or a folder.

    Raises:
        InputError: MLflow is not installed.
    """
    from tinyseg.training.mlflow_log import MlflowLog

    return MlflowLog(uri)


def finish(model: keras.Model, session: Session, folder: str | Path) -> Trained:
    """Store how the images of a training run were divided, and score the network."""
    folder = Path(folder)
    session.images.split.write(folder / SPLIT)
    weights, scores = folder / presets.WEIGHTS, validation_scores(model, session)
    _warn_of_nothing(scores, session.images.part("validation"), weights)
    return Trained(folder, weights, scores)


def _warn_of_nothing(scores: dict[str, Any], images: ImageStore, weights: Path) -> None:
    """Warn of a network that is no better than predicting nothing."""
    if images.classes or not scores or not images.masks.any():
        return
    found, nothing = lesions(scores)["dice"], lesions(score_background(images))["dice"]
    if found <= nothing:
        log.warning(
            "%s: the network finds nothing: Dice %.4f over the validation images with foreground; "
            "'tinyseg quantize' will refuse it. Train longer or with another "
            "training.learning_rate",
            weights,
            found,
        )


def validation_scores(model: keras.Model, session: Session) -> dict[str, Any]:
    """Score a network on the validation part; empty if there are no images in it."""
    from tinyseg.runtime.keras import KerasRunner

    validation = session.images.part("validation")
    if not len(validation):
        return {}
    return score(KerasRunner(model), validation, session.preprocessing)[0]
