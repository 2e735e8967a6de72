"""Which layers of an encoder learn, and how fast: for weights that learned another task before."""

from __future__ import annotations

import re

import tf_keras as keras

from tinyseg.errors import InputError
from tinyseg.plan import TrainingPlan

_STAGE = re.compile(r"(?:encoder(\d+)|bottleneck)_")


def stages(model: keras.Model) -> dict[str, int]:
    """Return the stages of a network's encoder by its layers' names.

    Stages are counted from 1, the one next to the image; the bottleneck is the last one.
    """
    found = {layer.name: match for layer in model.layers if (match := _STAGE.match(layer.name))}
    last = max((int(match[1]) for match in found.values() if match[1]), default=0) + 1
    return {name: int(match[1] or last) for name, match in found.items()}


def settle(model: keras.Model, settings: TrainingPlan) -> list[tuple[keras.layers.Layer, float]]:
    """Do what :func:`freeze` does and return what :func:`rates` returns."""
    freeze(model, settings)
    return rates(model, settings)


def freeze(model: keras.Model, settings: TrainingPlan) -> None:
    """Keep stages and normalizations of the encoder as they are, as a plan asks for.

    Raises:
        InputError: the network has no such stages.
    """
    if not (settings.frozen_stages or settings.frozen_norms):
        return
    stage_of = _need_stages(model, settings)
    for layer in model.layers:
        stage = stage_of.get(layer.name, 0)
        norm = isinstance(layer, keras.layers.BatchNormalization) and settings.frozen_norms
        if stage and (stage <= settings.frozen_stages or norm):
            # Of a normalization this holds its moving mean and variance too.
            layer.trainable = False


def rates(model: keras.Model, settings: TrainingPlan) -> list[tuple[keras.layers.Layer, float]]:
    """Return the encoder's layers with the share of the learning rate that each of them has.

    Raises:
        InputError: the plan asks for such rates and the network has no stages.
    """
    if settings.stage_rate == 1:
        return []
    stage_of = _need_stages(model, settings)
    last = max(stage_of.values())
    return [
        (layer, settings.stage_rate ** (last + 1 - stage_of[layer.name]))
        for layer in model.layers
        if layer.name in stage_of
    ]


def _need_stages(model: keras.Model, settings: TrainingPlan) -> dict[str, int]:
    stage_of = stages(model)
    last = max(stage_of.values(), default=0)
    if not stage_of or settings.frozen_stages > last:
        raise InputError(
            f"{model.name}: its encoder has {last} stages; training.frozen_stages is "
            f"{settings.frozen_stages}, and training.stage_rate and training.frozen_norms need one"
        )
    return stage_of
