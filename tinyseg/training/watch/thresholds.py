"""What each rule finds, when, and where its thresholds come from: one table for all.

``sagemaker`` are the defaults that Amazon published for the rules of SageMaker Debugger ("List of
Debugger built-in rules", SageMaker Developer Guide), with an epoch here for a step there. They
were made for long runs of classifiers and fire often on short runs of small networks, whose
lesions are rare and whose training loss is that of augmented images. ``calm`` keeps what tells of
a fault of its own and otherwise asks for more: tinyseg's own choice, not measured over the zoo.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tinyseg.errors import InputError, meant

PRESETS = ("calm", "sagemaker")


class Rule(NamedTuple):
    """One rule.

    Attributes:
        finds: what goes wrong, for people.
        cure: what to try.
        published: name of the rule at SageMaker; empty for one of our own.
        sagemaker, calm: thresholds by name.
    """

    finds: str
    cure: str
    published: str
    sagemaker: Mapping[str, float]
    calm: Mapping[str, float]


WATCH_RULES: Mapping[str, Rule] = {
    "vanishing_gradient": Rule(
        "the mean magnitude of a gradient is next to nothing",
        "raise the learning rate, normalise, or initialise with larger weights",
        "VanishingGradient",
        {"mean": 1e-7, "looks": 1},
        {"mean": 1e-9, "looks": 2},
    ),
    "exploding_gradient": Rule(
        "a gradient is huge, or not finite",
        "lower training.learning_rate or initialise with smaller weights",
        "ExplodingTensor",
        {"largest": float("inf")},
        {"largest": 1e4},
    ),
    "poor_initialisation": Rule(
        "the first weights differ in scale from layer to layer, or hardly any gradient arrives",
        "initialise with He's or Glorot's variance",
        "PoorWeightInitialization",
        {"ratio": 10, "spread": 1e-3, "patience": 5},
        {"ratio": 1e4, "spread": 1e-10, "patience": float("inf")},
    ),
    "dead_relu": Rule(
        "most units of a layer let nothing through",
        "lower training.learning_rate, or take another activation",
        "DeadRelu",
        {"active": 0.01, "share": 0.5, "looks": 1},
        {"active": 1e-4, "share": 0.9, "looks": 2},
    ),
    "saturated_activation": Rule(
        "most inputs of a sigmoid or tanh lie where it is flat",
        "lower training.learning_rate, normalise, or initialise with smaller weights",
        "SaturatedActivation",
        {"low": -23, "high": 16.99999, "tanh": 9.4999, "share": 0.5, "looks": 1},
        {"low": -23, "high": 16.99999, "tanh": 9.4999, "share": 0.95, "looks": 2},
    ),
    "loss_not_decreasing": Rule(
        "the training loss no longer falls",
        "choose another training.learning_rate; check the masks with 'tinyseg data check'",
        "LossNotDecreasing",
        {"epochs": 10, "fall": 0.0, "learned": 0.0},
        {"epochs": 10, "fall": 1e-3, "learned": 0.5},
    ),
    "overfit": Rule(
        "the validation loss is well above the training loss",
        "augment, take more images or a smaller network",
        "Overfit",
        {"ratio": 0.1, "epochs": 1, "above_best": 0.0},
        {"ratio": 1.0, "epochs": 5, "above_best": 0.5},
    ),
    "overtraining": Rule(
        "neither training nor validation loss has improved for long",
        "lower training.patience or training.epochs",
        "Overtraining",
        {"train": 5, "validation": 10, "delta": 0.1, "relative": 0},
        {"train": 10, "validation": 20, "delta": 0.01, "relative": 1},
    ),
    "unchanged_weights": Rule(
        "weights that are to be trained stay as they are",
        "check that the layer leads to the loss; raise the learning rate",
        "UnchangedTensor",
        {"looks": 3, "rtol": 1e-5, "atol": 1e-8},
        {"looks": 3, "rtol": 1e-7, "atol": 1e-10},
    ),
    "update_ratio": Rule(
        "weights change by far more, or far less, than they are",
        "change training.learning_rate",
        "WeightUpdateRatio",
        {"large": 10, "small": 1e-8, "from_zero": 1},
        {"large": 10, "small": 1e-10, "from_zero": 0},
    ),
    "class_imbalance": Rule(
        "classes differ much in number, and the rare ones are not found",
        "--set training.balance=true, or a larger training.dice_weight for small lesions",
        "ClassImbalance",
        {"ratio": 10, "mispredicted": 0.7, "both": 0, "first": 0},
        {"ratio": 10, "mispredicted": 0.9, "both": 1, "first": 10},
    ),
    "all_zero": Rule(
        "all values of weights or of a layer's output are zero",
        "check the layer's initialisation and its activation",
        "AllZero",
        {"share": 1.0, "looks": 1},
        {"share": 1.0, "looks": 2},
    ),
    "input_starvation": Rule(
        "the network waits for its images",
        "copy the images to a local disk, or augment less",
        "CPUBottleneck",
        {"share": 0.5},
        {"share": 0.9},
    ),
}


def thresholds(rule: str, preset: str) -> Mapping[str, float]:
    """Return the thresholds of a rule.

    Raises:
        InputError: no such preset.
    """
    if preset not in PRESETS:
        raise InputError(f"--watch: '{preset}' is not off, {' or '.join(PRESETS)}")
    return getattr(WATCH_RULES[rule], preset)


def known(rule: str) -> str:
    """Return the name of a rule.

    Raises:
        InputError: there is no such rule.
    """
    if rule not in WATCH_RULES:
        close, names = meant(rule, WATCH_RULES), ", ".join(WATCH_RULES)
        raise InputError(f"--stop-on: no rule '{rule}'{close}; there are {names}")
    return rule
