"""The part of a plan that says how a network is fitted."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class TrainingPlan:
    """How the network is fitted.

    Attributes:
        epochs: at most so many passes over the training images.
        batch_size: images a step.
        learning_rate: of Adam at the start; a cosine takes it to zero at the last epoch.
        warmup_epochs: linear rise of the learning rate from zero.
        dice_weight: for masks, loss = BCE + dice_weight * (1 - soft Dice); for classes it is the
            cross-entropy.
        miss_weight: of missed pixels in the soft Dice, which it makes Tversky's index; 0.5 for
            Dice.
        focal: exponent of (1 - soft Dice).
        presence_weight: of the cross-entropy of whether an image has foreground at all.
        patience: epochs without a better validation Dice, or accuracy, before stopping.
        augment: random flips, affine maps, contrast and brightness.
        augment_wide: all of that in wider ranges, and stretching, bending and gamma; for students
            of a teacher's soft masks and for large networks.
        mix: share of the images that are mixed with another one.
        mix_by: ``mixup``, ``cutmix`` or ``either``, see :mod:`tinyseg.data.mixing`.
        paste: share of the images that get what is marked in another one.
        keep: whose weights are kept: ``best`` for those of the best epoch by the validation images,
            ``last`` for the last one's, of which patience ends none; the validation images then
            tell how good a network is that was trained for so long.
        average: decay of a moving average of the weights, which is what is judged and kept; 0 for
            the weights themselves.
        balance: show images of rare labels more often, so that all labels are as frequent.
        attention_maps: store what attention gates let through after every epoch, for
            ``tinyseg inspect``.
        precision: ``float32``, ``mixed``, or ``auto`` (mixed on a GPU that gains from it).
        initial_weights: weights file to start from, ``pretrained`` for the published ones of an
            encoder; empty for random weights.
        frozen_stages: so many stages of the encoder, from the image on, stay as they are.
        stage_rate: factor of the learning rate for each stage of the encoder, from the last one
            towards the image; 1 for one rate.
        frozen_norms: normalizations of the encoder stay as they are.
    """

    epochs: int = 40
    batch_size: int = 8
    learning_rate: float = 1e-3
    warmup_epochs: float = 1.0
    dice_weight: float = 1.0
    miss_weight: float = 0.5
    focal: float = 1.0
    presence_weight: float = 0.0
    patience: int = 12
    augment: bool = True
    augment_wide: bool = False
    mix: float = 0.0
    mix_by: str = "mixup"
    paste: float = 0.0
    keep: str = "best"
    average: float = 0.0
    balance: bool = False
    attention_maps: bool = False
    precision: str = "auto"
    initial_weights: str = ""
    frozen_stages: int = 0
    stage_rate: float = 1.0
    frozen_norms: bool = False
