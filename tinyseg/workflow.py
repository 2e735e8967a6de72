"""The stages put together: what each verb of the command line does."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tinyseg import data, presets
from tinyseg import plan as plans
from tinyseg.data.splits import Split, make_split, read_split
from tinyseg.data.store import ImageStore, open_store
from tinyseg.errors import InputError
from tinyseg.plan import Plan, PreprocessingPlan
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.lint import usable
from tinyseg.verification.verify import MAX_DROP, Verification, verify
from tinyseg.zoo import builder, network

if TYPE_CHECKING:
    import tf_keras as keras

    from tinyseg.runtime import Runner

log = logging.getLogger(__name__)

SPLIT = "split.json"


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
        """Return the representative dataset as network inputs, from the training part."""
        from tinyseg.compression.quantization import calibration_rows

        training = self.part("train")
        rows = calibration_rows(training.labels, plan.quantization.calibration_images, plan.seed)
        return training.select([training.names[row] for row in rows]).inputs(plan.preprocessing)


def divide_images(
    plan: Plan, split_file: str | Path | None = None, home: Path | None = None
) -> tuple[Plan, Images]:
    """Decode a plan's images and divide them, whatever its network is for.

    Args:
        plan: names the data and, if it was trained already, their fingerprint.
        split_file: division to use.
        home: folder of the trained network. If it was trained on these very images, its
            division is used, so that no training image becomes a test image.

    Returns:
        The plan with the data's fingerprint, and the images.

    Raises:
        InputError: unusable data or split file.
    """
    dataset = data.load(plan.data.source)
    store = open_store(dataset, plan.preprocessing)
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
    plan: Plan, split_file: str | Path | None = None, home: Path | None = None
) -> tuple[Plan, Images]:
    """Decode and divide images that a plan's network can learn; see :func:`divide_images`.

    Raises:
        InputError: unusable data or split file, or data for another task.
    """
    task = network(plan.model.name).task
    plan, images = divide_images(plan, split_file, home)
    if images.store.task != task:
        cure = "choose other data or another network"
        if task == "classification":
            cure = f"take {plan.data.source}:task=classification or another network"
        raise InputError(
            f"{plan.data.source}: holds images for {images.store.task}, {plan.model.name} is a "
            f"network for {task}; {cure}"
        )
    known, found = plan.data.classes, images.store.classes
    if known and known != found:
        raise InputError(
            f"{plan.data.source}: holds {', '.join(found)}, {plan.model.name} was trained to tell "
            f"{', '.join(known)}; choose images of these classes"
        )
    return dataclasses.replace(plan, data=dataclasses.replace(plan.data, classes=found)), images


def default_plan(name: str) -> Plan:
    """Return the plan that a network is trained by unless the user says otherwise.

    Raises:
        InputError: no such network.
    """
    height, width, channels = network(name).input_shape
    return Plan(
        model=plans.ModelPlan(name),
        preprocessing=PreprocessingPlan(height, width, channels),
    )


def with_outputs(plan: Plan, images: ImageStore) -> Plan:
    """Return a plan whose network has an output for each region or class of the images.

    Raises:
        InputError: the plan asks for another number, or the network has no such argument.
    """
    wanted, arguments = images.targets.shape[-1], plan.model.arguments
    taken = inspect.signature(builder(plan.model.name)).parameters
    if "classes" not in taken:
        if wanted != 1:
            raise InputError(f"{plan.model.name}: has one output, the images ask for {wanted}")
        return plan
    asked = arguments.get("classes", wanted)
    if asked != wanted:
        names = ", ".join(images.classes or images.regions)
        raise InputError(
            f"model.arguments.classes: is {asked}, the images have {wanted} ({names}); "
            "leave the argument out"
        )
    if taken["classes"].default == wanted and "classes" not in arguments:
        return plan
    model = dataclasses.replace(plan.model, arguments={**arguments, "classes": wanted})
    return dataclasses.replace(plan, model=model)


def train(plan: Plan, folder: str | Path, split_file: str | Path | None = None) -> dict[str, Any]:
    """Train a network and score its best weights on the validation part, if there is one.

    Returns:
        See :func:`finish`.
    """
    from tinyseg.training.fit import fit, new_network
    from tinyseg.zoo import build

    # A published plan names the weights that it led to, and the classes that these tell.
    data_plan = dataclasses.replace(plan.data, classes=())
    plan = dataclasses.replace(plan, weights="", data=data_plan)
    build(*plan.network)  # Tells of wrong arguments before images are decoded.
    plan, images = open_images(plan, split_file)
    plan = with_outputs(plan, images.store)
    model = new_network(plan)
    fit(model, plan, images.part("train"), images.part("validation"), folder)
    return finish(model, plan, images, folder)


def finish(model: keras.Model, plan: Plan, images: Images, folder: str | Path) -> dict[str, Any]:
    """Store how the images of a training run were divided, and score the network.

    Returns:
        ``{"weights", "folder", "validation": scores}``, see :func:`validation_scores`.
    """
    images.split.write(Path(folder) / SPLIT)
    return {
        "folder": str(folder),
        "weights": str(Path(folder) / presets.WEIGHTS),
        "validation": validation_scores(model, plan, images),
    }


def validation_scores(model: keras.Model, plan: Plan, images: Images) -> dict[str, Any]:
    """Score a network on the validation part; empty if there are no images in it."""
    from tinyseg.runtime.keras import KerasRunner

    validation = images.part("validation")
    if not len(validation):
        return {}
    return score(KerasRunner(model), validation, plan.preprocessing)[0]


def score(
    runner: Runner, images: ImageStore, preprocessing: PreprocessingPlan
) -> tuple[dict[str, Any], np.ndarray]:
    """Run a network on images; return its scores and what it decided, see :func:`decide`."""
    from tinyseg.runtime.runner import predict
    from tinyseg.scoring.scores import decide, score_outputs

    outputs, threshold = predict(runner, images.inputs(preprocessing)), preprocessing.threshold
    if outputs.shape != images.targets.shape:
        raise InputError(
            f"the network's output is {outputs.shape[1:]}, the images ask for "
            f"{images.targets.shape[1:]}; take those that it was trained with, or train it anew"
        )
    return score_outputs(images, outputs, threshold), decide(outputs, threshold)


def load_trained(plan: Plan, weights: str | Path) -> keras.Model:
    """Build a plan's network in float32 and load weights into it."""
    import tf_keras as keras

    from tinyseg.zoo import build
    from tinyseg.zoo.weights import load_weights

    keras.mixed_precision.set_global_policy("float32")
    model = build(*plan.network)
    load_weights(model, weights)
    return model


def equalized(network: keras.Model, plan: Plan, images: Images) -> keras.Model:
    """Return the float network that is quantized: equalized first if the plan says so."""
    if not plan.quantization.equalize:
        return network
    from tinyseg.compression.equalization import equalize

    return equalize(network, images.calibration(plan))


def plan_of(
    name_or_file: str, source: str | None = None, fallback: Plan | None = None
) -> tuple[Plan, Path]:
    """Return plan and file for a network's name, its weights, or a ``.tflite`` file.

    Args:
        name_or_file: what the user named.
        source: data source, which may have weights of its own.
        fallback: plan for weights that have none beside them.

    Raises:
        InputError: no such file or network, or the file differs from its plan.
    """
    path = Path(name_or_file)
    if path.suffix not in (".tflite", ".h5", ".keras"):
        network(name_or_file)
        path = presets.find_weights(name_or_file, source or "phantom")
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    plan = plans.beside(path) or fallback or _plan_from_file(path)
    if source:
        plan = dataclasses.replace(plan, data=dataclasses.replace(plan.data, source=source))
    return plan, path


def _plan_from_file(path: Path) -> Plan:
    """Make a plan for a file that came without one, from the file itself."""
    if path.suffix != ".tflite":
        raise InputError(
            f"{path}: no plan.json beside it names it; copy the plan that made it there"
        )
    model = TfliteModel.read(path)
    usable(model)
    if len(model.inputs) != 1 or len(model.inputs[0].shape) != 4:
        raise InputError(f"{path}: the input is not one image (1, height, width, channels)")
    _, height, width, channels = model.inputs[0].shape
    stored = model.plan.get("preprocessing")
    if stored is None:
        log.info("%s: no preprocessing stored; taking pixels / 255", path)
        stored = {"height": height, "width": width, "channels": channels}
    return plans.from_mapping({"preprocessing": stored}, str(path))


def evaluate(name_or_file: str, source: str | None, part: str, backend: str) -> dict[str, Any]:
    """Score a network or file on one part of a dataset.

    Args:
        name_or_file: name in the zoo, weights or ``.tflite`` file.
        source: data; None for what the plan names.
        part: ``train``, ``validation``, ``test`` or ``all``.
        backend: for ``.tflite``: ``tflite``, ``reference`` or ``tflm``.
    """
    plan, path = plan_of(name_or_file, source)
    plan, images = open_images(plan, home=path.parent)
    runner = open_runner(plan, path, backend)
    return score(runner, images.filled(part), plan.preprocessing)[0]


def open_runner(plan: Plan, path: Path, backend: str = "tflite") -> Runner:
    """Load weights into a plan's network, or a ``.tflite`` file into an interpreter.

    Args:
        plan: of the network.
        path: weights or ``.tflite`` file.
        backend: for ``.tflite``: ``tflite``, ``reference`` or ``tflm``.

    Raises:
        InputError: the file is damaged or of another network.
    """
    if path.suffix != ".tflite":
        from tinyseg.runtime.keras import KerasRunner

        return KerasRunner(load_trained(plan, path))
    from tinyseg.runtime.tflite import TfliteRunner
    from tinyseg.runtime.tflm import TflmRunner

    model = TfliteModel.read(path)
    usable(model)
    if backend == "tflm":
        return TflmRunner(model)
    return TfliteRunner(model, reference=backend == "reference")


def open_pair(
    model_or_file: str, source: str | None, recipe: str
) -> tuple[Plan, dict[str, Runner]]:
    """Open an integer file and, if its weights are known, the float network that it was made of.

    Args:
        model_or_file: name in the zoo, or ``.tflite`` file.
        source: data that the network was trained with; None for the newest or shipped ones.
        recipe: of the file, where a network is named.

    Returns:
        The file's plan, and the runners ``float32``, if there is one, and ``integer``.

    Raises:
        InputError: no such file or network, or one that does not make masks.
    """
    path = presets.find_tflite(model_or_file, source, recipe)
    plan, _ = plan_of(str(path), source)
    integer = open_runner(plan, path)
    if len(integer.output.shape) != 4:
        raise InputError(f"{path}: makes no masks; use 'tinyseg predict'")
    float_model = _float_model(plan, path, None)
    if float_model is None:
        return plan, {"integer": integer}
    from tinyseg.runtime.keras import KerasRunner

    return plan, {"float32": KerasRunner(float_model), "integer": integer}


def verify_file(
    path: str | Path,
    source: str | None,
    count: int,
    max_drop: float | None,
    weights: str | Path | None = None,
    board: str | None = None,
) -> Verification:
    """Verify a ``.tflite`` file on ``count`` images of the test part.

    The float network takes part if its weights are given, or if the plan beside the file tells
    their hash and they are still there; so does the emulated board, if one is named.
    """
    model = TfliteModel.read(path)
    usable(model)
    plan, _ = plan_of(str(path), source)
    plan, images = open_images(plan, home=Path(path).parent)
    float_model = _float_model(plan, path, weights)
    if float_model is not None:
        float_model = equalized(float_model, plan, images)
    test = images.part("test")
    if max_drop is None:
        max_drop = MAX_DROP
    return verify_against(model, float_model, test, plan, count, max_drop, board)


def _float_model(plan: Plan, path: str | Path, weights: str | Path | None) -> keras.Model | None:
    weights = weights or presets.weights_by_hash(plan.model.name, plan.weights)
    if weights is None:
        log.info("%s: its float weights are unknown; give --weights to compare with them", path)
        return None
    return load_trained(plan, weights)


def verify_against(
    model: TfliteModel,
    float_model: keras.Model | None,
    images: ImageStore,
    plan: Plan,
    count: int,
    max_drop: float,
    board: str | None = None,
) -> Verification:
    """Verify a file against its float network and on a board, on ``count`` of the images."""
    from tinyseg.compression.quantization import convert_float
    from tinyseg.runtime.keras import KerasRunner

    twin = None
    if float_model is not None:
        twin = TfliteModel.parse(convert_float(float_model, plan), "float conversion")
    with contextlib.ExitStack() as stack:
        runner = None
        if board is not None:
            from tinyseg.boards.firmware import booted

            runner = stack.enter_context(booted(model, plan.preprocessing, board))
        return verify(
            model,
            sample(images, count),
            plan.preprocessing,
            float_runner=KerasRunner(float_model) if float_model is not None else None,
            float_twin=twin,
            device=runner,
            max_drop=max_drop,
        )


def sample(images: ImageStore, count: int) -> ImageStore:
    """Return ``count`` of the images, or all if there are fewer; the same ones every time."""
    # Evenly spaced rows hold every label, for samples lie in order of labels.
    rows = np.linspace(0, len(images) - 1, min(count, len(images))).round().astype(int)
    return images.select([images.names[row] for row in rows])
