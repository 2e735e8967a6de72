"""Plans of networks, and the Keras networks that trained weights belong to."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyseg import plan as plans
from tinyseg.data import need_source
from tinyseg.data.store import ImageStore
from tinyseg.errors import InputError
from tinyseg.plan import ModelPlan, Plan, PreprocessingPlan
from tinyseg.steps.images import Images
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.border import image_shape
from tinyseg.zoo import build, builder, names, need_arguments, network

if TYPE_CHECKING:
    import tf_keras as keras


def default_plan(name: str) -> Plan:
    """Return the plan that a network is trained by unless the user says otherwise.

    Raises:
        InputError: no such network.
    """
    return Plan(ModelPlan(name), preprocessing=PreprocessingPlan(*network(name).input_shape))


def plan_in_file(model: TfliteModel) -> Plan:
    """Make a plan for a file that came without one, from the file itself.

    Of a file without stored preprocessing only the size of its image is known, if it takes one.
    """
    stored = model.plan.get("preprocessing")
    if stored is None:
        shape = image_shape(model.inputs[0].shape) if len(model.inputs) == 1 else None
        stored = dict(zip(("height", "width", "channels"), shape or (1, 1, 1), strict=True))
    name = model.plan.get("model") or Path(model.path).stem
    parts = {"model": {"name": name}, "preprocessing": stored}
    if whites := model.plan.get("whites"):
        parts["data"] = {"whites": whites}
    return plans.from_mapping(parts, model.path)


def training_plan(name: str, changes: Mapping[str, Any], file: str | Path | None = None) -> Plan:
    """Return the plan that a network is to be trained by.

    Args:
        name: of the network in the zoo.
        changes: values to override, see :func:`tinyseg.plan.override`.
        file: YAML or JSON to start from; None for the default plan.

    Raises:
        InputError: no such network or data, or an unusable file or value.
    """
    start = default_plan(name)
    plan = plans.override(plans.read(file) if file else start, {"model.name": name, **changes})
    need_source(plan.data.source)
    if plan.model.arguments:
        need_arguments(name, plan.model.arguments)
    return plan


def successor(trained: Plan, name: str, changes: Mapping[str, Any]) -> Plan:
    """Return the plan of a network that is made from a trained one.

    It has the same data, preprocessing, training settings and seed, and those of the arguments
    that its builder takes too.

    Args:
        trained: plan of the trained network.
        name: of the new network in the zoo.
        changes: values to override, see :func:`tinyseg.plan.override`.

    Raises:
        InputError: unknown network or value.
    """
    if trained.model.name not in names():
        raise InputError(
            f"{trained.model.name}: only networks of 'tinyseg zoo' teach or follow others"
        )
    for one in (trained.model.name, name):
        if network(one).task != "segmentation":
            raise InputError(f"{one}: only networks for segmentation teach or follow others")
    taken = inspect.signature(builder(name)).parameters
    shared = {key: value for key, value in trained.model.arguments.items() if key in taken}
    plan = dataclasses.replace(
        trained,
        model=ModelPlan(name, shared),
        distillation=plans.DistillationPlan(),
        binarization=plans.BinarizationPlan(),
        training=dataclasses.replace(trained.training, initial_weights=""),
        weights="",
    )
    return plans.override(plan, changes)


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


def load_trained(plan: Plan, weights: str | Path) -> keras.Model:
    """Build a plan's network in float32 and load weights into it.

    Raises:
        InputError: the weights are damaged or of another network.
    """
    import tf_keras as keras

    from tinyseg.zoo.weights import load_weights

    keras.mixed_precision.set_global_policy("float32")
    model = build(*plan.network)
    load_weights(model, weights)
    return model


def equalized(trained: keras.Model, plan: Plan, images: Images) -> keras.Model:
    """Return the float network that is quantized: equalized first if the plan says so."""
    if not plan.quantization.equalize:
        return trained
    from tinyseg.compression.equalization import equalize

    return equalize(trained, images.calibration(plan))
