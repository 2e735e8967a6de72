"""Hint learning: a student learns its teacher's feature maps, stage by stage, then the masks.

A. Romero et al., "FitNets: Hints for Thin Deep Nets", ICLR 2015 (arXiv:1412.6550), with the three
phases of C. Zhang's BLU-Net (MSc thesis, 2022): encoder hints, decoder hints, and training on
the masks. Beside it, for comparison, learning from the teacher's soft masks (G. Hinton et al.,
"Distilling the Knowledge in a Neural Network", 2015, arXiv:1503.02531).
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import tensorflow as tf
import tf_keras as keras

from tinyseg.compression.folding import CONVOLUTIONS, fold
from tinyseg.errors import InputError
from tinyseg.training.losses import BceDiceLoss

ENCODER, DECODER = "encoder", "decoder"
_STAGE = re.compile(r"(encoder|bottleneck|decoder)\d*_")
_KINDS = (*CONVOLUTIONS, keras.layers.SeparableConv2D)
# What may stand between a convolution and the feature map that it leads to.
_FOLLOWERS = ("BatchNormalization", "Activation", "ReLU", "Dropout", "ResidualSign")


class Hint(NamedTuple):
    """A feature map of the teacher that one of the student's shall equal.

    Attributes:
        phase: ``encoder``, to which the bottleneck belongs, or ``decoder``.
        teacher, student: names of the layers whose outputs they are.
    """

    phase: str
    teacher: str
    student: str


def find_hints(
    teacher: keras.Model, student: keras.Model, chosen: Mapping[str, str] | None = None
) -> list[Hint]:
    """Pair feature maps of equal role: encoder or decoder, at the same resolution.

    Where both networks have as many convolutions in that role, as BLU-Net's have, each is paired
    with its counterpart, else the last ones are. The output is the last hint of the decoder.

    Args:
        teacher: network of the zoo.
        student: network of the zoo with the same input size and classes.
        chosen: names of the student's layers and, for each, of the teacher's, instead.

    Raises:
        InputError: the networks do not match, or a chosen layer is missing or of another size;
            the message names it.
    """
    _check_pair(teacher, student)
    if chosen:
        return [_chosen_hint(teacher, student, theirs, ours) for ours, theirs in chosen.items()]
    theirs, ours = _feature_maps(teacher), _feature_maps(student)
    hints = []
    for role in [role for role in ours if role in theirs]:
        pairs = list(zip(theirs[role], ours[role], strict=False))
        if len(theirs[role]) != len(ours[role]):
            pairs = [(theirs[role][-1], ours[role][-1])]
        hints += [Hint(role[0], *pair) for pair in pairs]
    if not hints:
        raise InputError(
            f"{student.name}: no stage has the role and resolution of one of {teacher.name}'s; "
            "name pairs with distillation.hints"
        )
    outputs = (teacher.output_names[0], student.output_names[0])
    return [*hints, Hint(DECODER, *outputs)]


def _check_pair(teacher: keras.Model, student: keras.Model) -> None:
    _check_classes(teacher, student)
    if teacher.input_shape != student.input_shape:
        shapes = ["x".join(map(str, model.input_shape[1:])) for model in (teacher, student)]
        raise InputError(
            f"{teacher.name}: the teacher sees images {shapes[0]}, the student {shapes[1]}; "
            "give both the same size and channels, or learn from soft masks, which are resized"
        )


def _check_classes(teacher: keras.Model, student: keras.Model) -> None:
    if teacher.output_shape[-1] != student.output_shape[-1]:
        raise InputError(
            f"{teacher.name}: the teacher has {teacher.output_shape[-1]} classes, the student "
            f"{student.output_shape[-1]}; set model.arguments.classes to the teacher's"
        )


def _check_answers(teacher: keras.Model, student: keras.Model) -> None:
    """Refuse a teacher whose answers mean something else, or that sees other channels."""
    _check_classes(teacher, student)
    if teacher.input_shape[-1] != student.input_shape[-1]:
        raise InputError(
            f"{teacher.name}: the teacher sees {teacher.input_shape[-1]} channels, the student "
            f"{student.input_shape[-1]}; set preprocessing.channels to the teacher's"
        )


def _chosen_hint(teacher: keras.Model, student: keras.Model, theirs: str, ours: str) -> Hint:
    shapes = []
    for model, name in ((teacher, theirs), (student, ours)):
        if name not in [layer.name for layer in model.layers]:
            raise InputError(f"{name}: {model.name} has no such layer; see distillation.hints")
        shapes.append(tuple(model.get_layer(name).output_shape[1:3]))
    if shapes[0] != shapes[1]:
        raise InputError(
            f"{ours}: its map is {shapes[1]}, that of the teacher's {theirs} {shapes[0]}; "
            "hints need the same resolution"
        )
    stage = _STAGE.match(ours)
    return Hint(ENCODER if stage and stage[1] != DECODER else DECODER, theirs, ours)


def _feature_maps(model: keras.Model) -> dict[tuple[str, int], list[str]]:
    """Return what convolutions lead to, by phase and how often the resolution was halved."""
    maps: dict[tuple[str, int], list[str]] = defaultdict(list)
    for layer in model.layers:
        stage = _STAGE.match(layer.name)
        if stage is None or not isinstance(layer, _KINDS):
            continue
        phase = DECODER if stage[1] == DECODER else ENCODER
        halvings = round(math.log2(model.input_shape[1] / layer.output_shape[1]))
        maps[phase, halvings].append(_end_of(layer).name)
    return maps


def _end_of(layer: keras.layers.Layer) -> keras.layers.Layer:
    """Follow a convolution through normalization and activation."""
    while len(layer.outbound_nodes) == 1:
        following = layer.outbound_nodes[0].layer
        if type(following).__name__ not in _FOLLOWERS:
            break
        layer = following
    return layer


class HintLearner(keras.Model):
    """Trains a student on hints; the loss is the mean over hints of the relative squared error.

    BLU-Net adds up the squared errors as they are, so that the largest maps, often those next
    to the output, are learned and the others are not.

    Where the widths differ, a 1x1 convolution without bias, trained too and thrown away
    afterwards, turns the student's map into one of the teacher's width.

    Args:
        teacher: trained; it stays as it is.
        student: its weights are trained.
        hints: of one phase, or of both.
    """

    def __init__(self, teacher: keras.Model, student: keras.Model, hints: list[Hint]) -> None:
        super().__init__(name="hint_learner")
        targets = [teacher.get_layer(hint.teacher).output for hint in hints]
        outputs = [student.get_layer(hint.student).output for hint in hints]
        self._student = keras.Model(student.inputs, outputs)
        self._adapters = [
            keras.layers.Lambda(lambda x: x)
            if target.shape[-1] == output.shape[-1]
            else keras.layers.Conv2D(target.shape[-1], 1, use_bias=False)
            for target, output in zip(targets, outputs, strict=True)
        ]
        self._teacher = _untracked(keras.Model(teacher.inputs, targets))
        self._mean = keras.metrics.Mean("loss")
        self.build(student.input_shape)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The mean loss, which Keras starts anew with each epoch."""
        return [self._mean]

    def call(self, images: tf.Tensor, training: bool = False) -> list[tf.Tensor]:
        """Return the student's maps, as wide as the teacher's."""
        maps = tf.nest.flatten(self._student(images, training=training))
        return [adapter(item) for adapter, item in zip(self._adapters, maps, strict=True)]

    def train_step(self, data: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Learn from one batch."""
        with tf.GradientTape() as tape:
            loss = self._distance(data[0], training=True)
        self.optimizer.minimize(loss, self.trainable_variables, tape)
        self._mean.update_state(loss)
        return {"loss": self._mean.result()}

    def test_step(self, data: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Return the loss of one batch."""
        self._mean.update_state(self._distance(data[0], training=False))
        return {"loss": self._mean.result()}

    def _distance(self, images: tf.Tensor, training: bool) -> tf.Tensor:
        targets = tf.nest.flatten(self._teacher()(images, training=False))
        maps = self(images, training=training)
        return tf.add_n([_relative_error(*pair) for pair in zip(targets, maps, strict=True)]) / len(
            maps
        )


def _relative_error(target: tf.Tensor, item: tf.Tensor) -> tf.Tensor:
    """Return the mean squared error, relative to the mean square of the target's variation."""
    target = tf.cast(target, item.dtype)
    error = tf.reduce_mean(tf.math.squared_difference(target, item))
    return error / (tf.math.reduce_variance(target) + 1e-6)


class SoftMaskLoss(keras.losses.Loss):
    """The loss against the masks, mixed with the same loss against the teacher's probabilities.

    The cross-entropy asks for the probabilities themselves; the Dice term, which favours what is
    likely over what is not, for decisions at pixels that the teacher doubts.

    Args:
        teacher_weight: share of the latter, 0 to 1.
        loss: in both.
    """

    def __init__(self, teacher_weight: float, loss: BceDiceLoss) -> None:
        super().__init__(name="soft_mask")
        self._share = teacher_weight
        self._loss = loss

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Return the loss of each image; ``y_true`` holds masks, then teacher's probabilities."""
        masks, soft = tf.split(tf.cast(y_true, y_pred.dtype), 2, axis=-1)
        hard, learned = (self._loss.call(target, y_pred) for target in (masks, soft))
        return (1 - self._share) * hard + self._share * learned


class SoftMaskLearner(keras.Model):
    """Trains a student on masks and on the mean of its teachers' probabilities.

    Compiled with :class:`SoftMaskLoss`; validated on the masks alone. The teachers look at each
    batch as the student sees it, changed at random and mixed. To a teacher of another input size
    the batch is shown at that size, and its probabilities come back at the student's.

    Args:
        teachers: one or more, trained; they stay as they are.
        student: its weights are trained.
        mirrored: teachers see each image's mirror image too; the mean of both answers is learned.

    Raises:
        InputError: a teacher's channels or classes are not the student's.
    """

    def __init__(
        self, teachers: Sequence[keras.Model], student: keras.Model, mirrored: bool = False
    ) -> None:
        super().__init__(name="soft_mask_learner")
        for teacher in teachers:
            _check_answers(teacher, student)
        self._student, self._mirrored = student, mirrored
        self._teachers = [_untracked(_folded(teacher)) for teacher in teachers]
        self.build(student.input_shape)

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return the student's probabilities."""
        return self._student(images, training=training)

    def train_step(self, data: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Learn from one batch."""
        images, masks = data
        soft = self._ask(images)
        with tf.GradientTape() as tape:
            probabilities = self(images, training=True)
            both = tf.concat([masks, tf.cast(soft, masks.dtype)], axis=-1)
            loss = self.compute_loss(images, both, probabilities)
        self.optimizer.minimize(loss, self.trainable_variables, tape)
        return {"loss": self.metrics[0].result()}

    def _ask(self, images: tf.Tensor) -> tf.Tensor:
        """Return the mean of what the teachers say."""
        shown = images
        if self._mirrored:
            shown = tf.concat([images, images[:, :, ::-1]], axis=0)
        found = tf.add_n([_ask(teacher(), shown) for teacher in self._teachers])
        if self._mirrored:
            straight, mirrored = tf.split(found, 2)
            found = (straight + mirrored[:, :, ::-1]) / 2
        return found / len(self._teachers)

    def test_step(self, data: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Return loss and metrics of one batch, against its masks."""
        images, masks = data
        probabilities = self(images, training=False)
        self.compute_loss(images, tf.concat([masks, masks], axis=-1), probabilities)
        self.compiled_metrics.update_state(masks, probabilities)
        return {metric.name: metric.result() for metric in self.metrics}


def _ask(teacher: keras.Model, images: tf.Tensor) -> tf.Tensor:
    """Return a teacher's probabilities at the size of the images, whatever its own is."""
    size, own = images.shape[1:3], teacher.input_shape[1:3]
    if tuple(size) == tuple(own):
        return teacher(images, training=False)
    found = teacher(tf.image.resize(images, own, antialias=True), training=False)
    return tf.image.resize(found, size, antialias=True)


def _folded(teacher: keras.Model) -> keras.Model:
    """Return a teacher without batch normalizations, in half the time; itself if it must be."""
    try:
        return fold(teacher)
    except InputError:  # A layer that has no integer form, or is used twice.
        return teacher


def _untracked(model: keras.Model) -> Callable[[], keras.Model]:
    """Hide a teacher from Keras, so that it is neither trained nor stored with its student."""
    return lambda: model
