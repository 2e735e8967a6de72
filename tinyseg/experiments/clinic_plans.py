"""Plans of the experiment ``busi_clinic``: teachers, students, what was tried, and levers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tinyseg import plan as plans
from tinyseg import presets
from tinyseg.plan import Plan

WORK = Path("build/experiments/busi_clinic")
# Of the fold that decides; the final networks have none.
FOLD, NONE = 0, -1
# Epochs of the first student of the fold, and of its going on with more images.
FIRST_LONG, FIRST_FINAL = 80, 16
# Epochs of the second student, of a final one, which has a quarter more images and takes half as
# many steps, and of a row of the ablation.
LONG, FINAL, SHORT = 50, 22, 20
# Epochs of the third student and of its final network, of both going on, and of the fifth ones.
THIRD, FOURTH, FIFTH = 100, 30, 120
# Of the sixth student, which goes on from one that learned as long as the third, and of its final
# network, which goes on from that.
SIXTH, SIXTH_FINAL = 220, 60
# Of the seventh student and of its final network, which goes on from it.
SEVENTH, SEVENTH_FINAL = 320, 60
# What the third, the fifth and the seventh round start from, see ``TRIALS``: it saw the training
# images of the fold alone.
START = "lw_unet, no teachers, 96 x 96"
# The same with batch normalization, which no round had.
NORMALIZED = f"{START}, batch normalization"
# What points are chosen for, and those from the fifth round on.
WISH, LIMIT = "most-dice", "at-most-false-alarms=25"
# Of the fold's students, whose images choose the point, and of the final ones.
POINT_SEEDS, SEEDS = (0,), (0,)

_MIXED = {"training.mix": 0.5, "training.average": 0.99, "training.presence_weight": 0.2}
# By name the seed, the epochs and what differs from a plain training run.
TEACHERS: Mapping[str, tuple[int, int, Mapping[str, Any]]] = MappingProxyType(
    {
        "mixed": (1, 40, {**_MIXED, "training.keep": "last"}),
        "plain": (0, 24, {}),
        # The first of them, of the epoch that is best by the validation images.
        "mixed best": (1, 40, _MIXED),
    }
)


# By the kilobytes of tensor arena that it fits in, how a student differs from the second one. The
# largest is as large as a teacher.
SIZES: Mapping[int, Mapping[str, Any]] = MappingProxyType(
    {
        128: {
            "model.arguments": {"encoder": "mobilenet_v1_025", "decoder_width": 8},
            "preprocessing.height": 112,
            "preprocessing.width": 112,
        },
        256: {"model.arguments": {"encoder": "mobilenet_v1_025", "decoder_width": 8}},
        512: {"model.arguments": {"encoder": "efficientnet_lite0", "decoder_width": 16}},
    }
)


def weights(role: str) -> Path:
    """Return the weights file of a network."""
    return WORK / role / presets.WEIGHTS


def teacher_role(name: str) -> str:
    """Return the role of a teacher, see ``TEACHERS``."""
    return f"teacher_{presets.slug(name)}"


def _taught_by(*names: str) -> dict[str, Any]:
    first, *others = (str(weights(teacher_role(name))) for name in names)
    return {"distillation.teacher": first, "distillation.ensemble": tuple(others)}


# The student that was published first, of which the levers are taken away or added to.
_FIRST: Mapping[str, Any] = MappingProxyType(
    {
        **_MIXED,
        **_taught_by("mixed best", "plain"),
        "model.arguments": {"encoder": "mobilenet_v1_025", "decoder_width": 8},
        "training.balance": False,
        "training.keep": "best",
    }
)
_START: Mapping[str, Any] = MappingProxyType(
    {
        "model.name": "lw_unet",
        "model.arguments": {"base_width": 7, "depth": 4},
        "preprocessing.height": 96,
        "preprocessing.width": 96,
        "training.epochs": 80,
        "training.patience": 80,
        "training.batch_size": 4,
        "training.learning_rate": 2e-3,
        "training.average": 0.99,
        "training.presence_weight": 0.2,
        "training.balance": False,
        "training.initial_weights": "",
        "distillation.method": "none",
    }
)
# What else was tried on the fold: how it differs from the second student.
TRIALS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        START: _START,
        NORMALIZED: {
            **_START,
            "model.arguments": {**_START["model.arguments"], "normalized": True},
        },
        "160 x 160, narrower, less presence, not balanced": {
            "model.arguments": {"encoder": "mobilenet_v1_025", "decoder_width": 8},
            "preprocessing.height": 160,
            "preprocessing.width": 160,
            "training.presence_weight": 0.2,
            "training.balance": False,
        },
    }
)
# What the first student is without one lever, or with one more.
LEVERS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "all": {},
        "without teachers": {"distillation.method": "none"},
        "with one teacher": {"distillation.ensemble": ()},
        "with teachers that see mirror images": {"distillation.mirrored": True},
        "with hints beside": {
            "distillation.method": "hints_and_soft_masks",
            "distillation.encoder_epochs": 5,
            "distillation.decoder_epochs": 5,
            "training.epochs": SHORT - 2 * 5,
        },
        "without mixing": {"training.mix": 0.0},
        "with cutmix": {"training.mix_by": "cutmix"},
        "with pasted lesions": {"training.paste": 0.3},
        "without presence": {"training.presence_weight": 0.0},
        "without averaging": {"training.average": 0.0},
        "with Tversky": {"training.miss_weight": 0.7},
        "with focal Tversky": {"training.miss_weight": 0.7, "training.focal": 0.75},
        "with balanced labels": {"training.balance": True},
        "with more presence": {"training.presence_weight": 1.0},
        "from random weights": {"training.initial_weights": ""},
        "with rates by depth": {"training.stage_rate": 0.7},
        "with a frozen stage": {"training.frozen_stages": 1, "training.frozen_norms": True},
    }
)


def _plan(model: Mapping[str, Any], training: Mapping[str, Any], fold: int) -> Plan:
    epochs = training["epochs"]
    return plans.from_mapping(
        {
            "model": {"name": "encoder_unet", "arguments": dict(model)},
            "data": {
                "source": "busi",
                "fractions": [0.65, 0.15, 0.2],
                "folds": 5,
                "fold": fold,
            },
            "preprocessing": {"height": 128, "width": 128, "channels": 1},
            "training": {
                "patience": epochs,
                "batch_size": 8,
                "precision": "float32",
                "augment_wide": True,
                "initial_weights": "pretrained",
                **training,
            },
            "quantization": {"lower": "patches", "equalize": True, "calibration_images": 64},
        }
    )


def teacher_plan(name: str, fold: int) -> Plan:
    """Return the plan of a teacher, see ``TEACHERS``."""
    seed, epochs, changes = TEACHERS[name]
    model = {"encoder": "efficientnet_lite0", "decoder_width": 16}
    plan = _plan(model, {"epochs": epochs, "learning_rate": 1e-3}, fold)
    return plans.override(dataclasses.replace(plan, seed=seed), changes)


def student_plan(fold: int, epochs: int, seed: int = 0) -> Plan:
    """Return the plan of a student of two teachers, the last of whose weights are kept."""
    model = {"encoder": "mobilenet_v1_025", "decoder_width": 12}
    plan = _plan(model, {"epochs": epochs, "learning_rate": 3e-3, "keep": "last"}, fold)
    changes = {
        **_taught_by("mixed", "plain"),
        "training.mix": 0.5,
        "training.average": 0.995,
        "training.presence_weight": 1.0,
        "training.balance": True,
        "distillation.method": "soft_masks",
        "distillation.teacher_weight": 0.7,
    }
    return plans.override(dataclasses.replace(plan, seed=seed), changes)


def first_student_plan() -> Plan:
    """Return the plan of the first student, the best of whose epochs is kept."""
    return plans.override(student_plan(FOLD, FIRST_LONG), _FIRST)


def first_final_plan() -> Plan:
    """Return the plan by which the first student goes on with all but the test part."""
    changes = {
        "training.initial_weights": str(weights("student")),
        "training.learning_rate": 1e-3,
    }
    return plans.override(student_plan(NONE, FIRST_FINAL), {**_FIRST, **changes})


def first_last_plan() -> Plan:
    """Return the plan of the first student, the last of whose epochs is kept."""
    return plans.override(first_student_plan(), {"training.keep": "last"})


def third_plan(fold: int) -> Plan:
    """Return the plan of the third round: a network without an encoder that learned before.

    It starts from what the same network learned on the fold's training images without teachers.
    """
    changes = {
        "model.name": "lw_unet",
        "model.arguments": {"base_width": 7, "depth": 4},
        "preprocessing.height": 112,
        "preprocessing.width": 112,
        "training.learning_rate": 2e-3,
        "training.presence_weight": 0.5,
        "training.balance": False,
        "training.initial_weights": str(weights(trial_role(START))),
    }
    return plans.override(student_plan(fold, THIRD), changes)


def fourth_plan(fold: int) -> Plan:
    """Return the plan by which networks of the third round go on: healthy images count more."""
    changes = {
        "training.epochs": FOURTH,
        "training.patience": FOURTH,
        "training.learning_rate": 1e-3,
        "training.presence_weight": 1.0,
        "training.balance": True,
        "training.initial_weights": str(
            weights("third_student" if fold == FOLD else "third_final")
        ),
    }
    return plans.override(third_plan(fold), changes)


def fifth_plan(fold: int) -> Plan:
    """Return the plan of the fifth round: the third one's, on images that differ more.

    Labels are balanced, lesions are pasted, and images are blended or cut together by chance.
    """
    changes = {
        "training.epochs": FIFTH,
        "training.patience": FIFTH,
        "training.balance": True,
        "training.mix": 0.6,
        "training.mix_by": "either",
        "training.paste": 0.15,
        "training.average": 0.998,
    }
    return plans.override(third_plan(fold), changes)


def sixth_start_plan() -> Plan:
    """Return the plan of what the sixth student goes on from: the third one's.

    Its teachers see each image and its mirror image.
    """
    return plans.override(third_plan(FOLD), {"distillation.mirrored": True})


def sixth_plan(fold: int) -> Plan:
    """Return the plan of the sixth round: the teacher that knows healthy images teaches alone.

    Labels are balanced and fewer images mixed; the final network goes on from the student.
    """
    changes: dict[str, Any] = {
        "model.name": "lw_unet_256k",  # The same network under a name of its own.
        "model.arguments": {},
        "training.epochs": SIXTH,
        "training.patience": SIXTH,
        "training.balance": True,
        "training.mix": 0.25,
        "training.initial_weights": str(weights("sixth_start")),
        "distillation.ensemble": (),
    }
    if fold == NONE:
        changes |= {
            "training.epochs": SIXTH_FINAL,
            "training.patience": SIXTH_FINAL,
            "training.learning_rate": 1e-3,
            "training.initial_weights": str(weights("sixth_student")),
        }
    return plans.override(third_plan(fold), changes)


def seventh_plan(fold: int) -> Plan:
    """Return the plan of the seventh round: the sixth one's teacher from the start.

    It sees each image and its mirror image; the final network goes on from the student.
    """
    changes: dict[str, Any] = {"distillation.mirrored": True}
    if fold == FOLD:
        changes |= {
            "training.epochs": SEVENTH,
            "training.patience": SEVENTH,
            "training.initial_weights": str(weights(trial_role(START))),
        }
    else:
        changes |= {
            "training.epochs": SEVENTH_FINAL,
            "training.patience": SEVENTH_FINAL,
            "training.initial_weights": str(weights("seventh_student")),
        }
    return plans.override(sixth_plan(fold), changes)


def sized_plan(kilobytes: int, fold: int = FOLD) -> Plan:
    """Return the plan of a student that fits so many kilobytes of arena, see ``SIZES``."""
    return plans.override(student_plan(fold, LONG), SIZES[kilobytes])


def trial_role(name: str) -> str:
    """Return the role of what else was tried, see ``TRIALS``."""
    return f"trial_{presets.slug(name)}"


def trial_plan(name: str) -> Plan:
    """Return the plan of what else was tried, see ``TRIALS``."""
    return plans.override(student_plan(FOLD, LONG), TRIALS[name])


def lever_plan(name: str) -> Plan:
    """Return the plan of a row of the ablation, see ``LEVERS``."""
    return plans.override(student_plan(FOLD, SHORT), {**_FIRST, **LEVERS[name]})
