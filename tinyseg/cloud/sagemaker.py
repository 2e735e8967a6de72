"""A training job as SageMaker hands it to a container: folders and JSON files below ``/opt/ml``.

Read: ``input/config/hyperparameters.json``, ``inputdataconfig.json`` and ``resourceconfig.json``,
``input/data/CHANNEL``. Written: ``checkpoints`` (kept by the service, so that a job on spot
instances goes on), ``model`` (what an endpoint serves) and ``output/failure``.
"""

from __future__ import annotations

import dataclasses
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tinyseg import files
from tinyseg.errors import GateError, InputError, TinysegError
from tinyseg.plan import FILE_NAME
from tinyseg.steps.networks import training_plan
from tinyseg.steps.session import Session
from tinyseg.steps.train import Trained, train, watching
from tinyseg.training.joining import join, place_of_host

log = logging.getLogger(__name__)

ROOT = Path("/opt/ml")
_LONGEST_FAILURE = 1024
_NETWORK, _RECIPE = "attention_unet_ds", "static_wi8_ai8"
# Names that tuners and examples use, and those of the plan.
_SHORT = {
    "epochs": "training.epochs",
    "batch_size": "training.batch_size",
    "batch-size": "training.batch_size",
    "learning_rate": "training.learning_rate",
    "learning-rate": "training.learning_rate",
    "lr": "training.learning_rate",
    "patience": "training.patience",
    "balance": "training.balance",
    "size": "",
}


@dataclasses.dataclass(frozen=True)
class Job:
    """What a job is asked to do.

    Attributes:
        root: of the folders, ``/opt/ml`` in a container.
        model: name of the network.
        changes: values of the plan by dotted name.
        recipe: quantization recipe of the file for the endpoint; empty for none.
        watch: preset of the rules that watch; empty for none.
        stop_on: rules that end the job.
        hosts, host: of all workers, and of this one.
    """

    root: Path
    model: str
    changes: Mapping[str, Any]
    recipe: str
    watch: str
    stop_on: tuple[str, ...]
    hosts: tuple[str, ...]
    host: str

    @property
    def run(self) -> Path:
        """The folder of the training run, which the service keeps when the job is interrupted."""
        return self.root / "checkpoints" / "run"


def read_job(root: Path) -> Job:
    """Read what a job is asked to do.

    Raises:
        InputError: a file or channel is missing or makes no sense.
    """
    config = root / "input" / "config"
    given = _values(_json(config / "hyperparameters.json"))
    own = {name: given.pop(name, None) for name in ("model", "recipe", "watch", "stop_on", "data")}
    size = given.pop("size", None)
    changes = {_SHORT.get(name, name): value for name, value in given.items()}
    if size is not None:
        changes |= {"preprocessing.height": size, "preprocessing.width": size}
    changes["data.source"] = _source(root, str(own["data"] or ""))
    resources = _json(config / "resourceconfig.json")
    hosts = tuple(map(str, resources.get("hosts") or ["algo-1"]))
    stop_on = own["stop_on"] or ()
    return Job(
        root,
        str(own["model"] or _NETWORK),
        changes,
        "" if own["recipe"] == "none" else str(own["recipe"] or _RECIPE),
        "" if own["watch"] in ("off", False) else str(own["watch"] or "calm"),
        tuple(stop_on.split(",") if isinstance(stop_on, str) else map(str, stop_on)),
        hosts,
        str(resources.get("current_host") or hosts[0]),
    )


def run_job(root: Path = ROOT) -> Trained | None:
    """Train, quantize for the endpoint, and leave the model where the service takes it.

    Returns:
        The trained network; None on a host that leaves it to another to write it.

    Raises:
        TinysegError: what went wrong, which is also the text of ``output/failure``.
    """
    try:
        return _run(read_job(root))
    except TinysegError as error:
        # An interrupted job has not failed: the service starts it again.
        if isinstance(error, InputError | GateError):
            text = str(error)[:_LONGEST_FAILURE]
            files.write_text(root / "output" / "failure", text)
        raise


def _run(job: Job) -> Trained | None:
    place = place_of_host(job.hosts, job.host)
    if place and job.stop_on:
        raise InputError("hyperparameter stop_on: is for one host; leave it out, or take one")
    workers = join(place) if place else None
    hooks = [watching(job.watch, job.stop_on)] if job.watch and not place else []
    plan = training_plan(job.model, job.changes)
    trained = train(plan, job.run, hooks=hooks, workers=workers)
    if workers and not workers.chief:
        return None
    model = job.root / "model"
    model.mkdir(parents=True, exist_ok=True)
    for path in sorted(path for path in job.run.iterdir() if path.is_file()):
        shutil.copy2(path, model / path.name)
    if job.recipe:
        _quantize(job, trained.weights)
    return trained


def _quantize(job: Job, weights: Path) -> None:
    """Write the integer file for the endpoint beside the weights; its plan lies with it."""
    from tinyseg.steps.quantize import quantize

    session = Session.to_quantize(
        job.model,
        str(job.changes["data.source"]),
        {"quantization.recipe": job.recipe},
        weights=weights,
    )
    folder = job.run / "integers"
    run = quantize(session, folder, profiled=False)
    if run.failures:
        raise GateError("\n".join(map(str, run.failures)))
    target = job.root / "model" / "integers"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    for path in sorted(folder.glob("*.tflite")):
        shutil.copy2(path, target / path.name)
    shutil.copy2(folder / FILE_NAME, target / FILE_NAME)


def served_file(root: Path = ROOT) -> Path:
    """Return the file that an endpoint serves: the only ``.tflite`` file below ``model``.

    Raises:
        InputError: there is none, or there are several.
    """
    found = sorted((root / "model").rglob("*.tflite"))
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise InputError(f"{root / 'model'}: has to hold one .tflite file, and holds {names}")
    return found[0]


def _source(root: Path, wanted: str) -> str:
    """Return the data source: a name, or the folder of the channel with the images."""
    data = root / "input" / "data"
    if wanted and not (data / wanted).is_dir():
        return wanted
    channels = _json(root / "input" / "config" / "inputdataconfig.json")
    for name, channel in channels.items():
        if isinstance(channel, dict) and channel.get("TrainingInputMode") == "Pipe":
            raise InputError(f"channel {name}: mode Pipe is not read; take File or FastFile")
    found = sorted(path.name for path in data.glob("*/")) if data.is_dir() else []
    chosen = next((name for name in (wanted, "training", "train") if name in found), None)
    if chosen is None and len(found) == 1:
        chosen = found[0]
    if chosen is None:
        names = ", ".join(found) or "none"
        raise InputError(
            f"{data}: no channel 'training', there is {names}; name one, or a data set, with the "
            "hyperparameter data"
        )
    return str(data / chosen)


def _json(path: Path) -> dict[str, Any]:
    """Read one of the service's files; empty if there is none.

    Raises:
        InputError: it is no JSON object.
    """
    if not path.is_file():
        return {}
    found = files.read_json(path)
    if not isinstance(found, dict):
        raise InputError(f"{path}: is no JSON object")
    return found


def _values(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return hyperparameters as values: all come as text, some as JSON in it."""
    values = {}
    for name, text in parameters.items():
        if name.startswith(("_", "sagemaker_")):
            continue
        try:
            value = yaml.safe_load(text) if isinstance(text, str) else text
            # YAML takes 1e-3 for text.
            values[name] = float(value) if _is_number(value) else value
        except yaml.YAMLError:
            raise InputError(f"hyperparameter {name}: '{text}' is not a YAML value") from None
    return values


def _is_number(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        float(value)
    except ValueError:
        return False
    return value.strip()[:1] in "+-.0123456789"
