"""Hint learning against NumPy: which maps are paired, what the losses are, who is trained."""

import cv2
import numpy as np
import pytest
import tf_keras as keras

from tests import fixtures
from tests.zoo.contract import enliven
from tinyseg.compression.distillation import (
    DECODER,
    ENCODER,
    Hint,
    HintLearner,
    SoftMaskLearner,
    SoftMaskLoss,
    find_hints,
)
from tinyseg.errors import InputError
from tinyseg.training.loop import mask_losses
from tinyseg.training.losses import BceDiceLoss
from tinyseg.zoo.attention_unet import attention_unet
from tinyseg.zoo.blu_net import blu_net
from tinyseg.zoo.unet import lw_unet, unet

SHAPE = (16, 16, 3)


def net(builder, width=4, depth=1, shape=SHAPE, **arguments):
    return builder(shape, base_width=width, depth=depth, **arguments)


@pytest.fixture(scope="module")
def images():
    return fixtures.pictures(4, size=16)


@pytest.fixture(scope="module")
def masks():
    return (np.random.default_rng(5).random((4, 16, 16, 1)) > 0.6).astype(np.float32)


@pytest.fixture
def teacher():
    return net(unet)


def test_networks_of_one_shape_are_paired_layer_by_layer():
    hints = find_hints(net(unet, 8, 4), net(lw_unet, 8, 4))
    assert all(hint.teacher == hint.student for hint in hints)
    encoder = [hint.student for hint in hints if hint.phase == ENCODER]
    decoder = [hint.student for hint in hints if hint.phase == DECODER]
    stages = [*(f"encoder{n}" for n in (1, 2, 3, 4)), "bottleneck"]
    assert encoder == [f"{stage}_conv{n}" for stage in stages for n in (1, 2)]
    parts = ("upsample", "conv1", "conv2")
    assert decoder == [*(f"decoder{n}_{part}" for n in (1, 2, 3, 4) for part in parts), "mask"]


@pytest.mark.parametrize("separable", [False, True])
def test_other_numbers_of_stages_are_paired_by_resolution(separable):
    """The bottleneck of a teacher with two stages is the third encoder of one with three."""
    teacher = net(unet, 8, 2)
    student = net(attention_unet, 4, 3, separable=separable, dropout=0.0)
    pairs = {hint.teacher: hint.student for hint in find_hints(teacher, student)}
    assert pairs == {
        "encoder1_conv1": "encoder1_conv1",
        "encoder1_conv2": "encoder1_conv2",
        "encoder2_conv1": "encoder2_conv1",
        "encoder2_conv2": "encoder2_conv2",
        "bottleneck_conv1": "encoder3_conv1",
        "bottleneck_conv2": "encoder3_conv2",
        "decoder1_upsample": "decoder2_upsample",
        "decoder1_conv1": "decoder2_conv1",
        "decoder1_conv2": "decoder2_conv2",
        "decoder2_upsample": "decoder3_upsample",
        "decoder2_conv1": "decoder3_conv1",
        "decoder2_conv2": "decoder3_conv2",
        "mask": "mask",
    }
    for theirs, ours in pairs.items():
        shapes = [m.get_layer(n).output_shape for m, n in ((teacher, theirs), (student, ours))]
        assert shapes[0][:3] == shapes[1][:3]


def test_map_of_a_convolution_is_what_follows_it():
    """Signs, dropout and normalization lead to the map; pooling and skips take from it."""
    pairs = {h.teacher: h.student for h in find_hints(net(unet), net(blu_net, dropout=0.2))}
    assert pairs["encoder1_conv1"] == "encoder1_dropout"
    assert pairs["encoder1_conv2"] == "encoder1_conv2_sign"
    assert pairs["mask"] == "mask"


def test_stages_of_other_lengths_are_paired_at_their_ends():
    image = keras.Input(SHAPE)
    x = image
    for number in (1, 2, 3):
        x = keras.layers.Conv2D(4, 3, padding="same", name=f"encoder1_conv{number}")(x)
    student = keras.Model(image, keras.layers.Conv2D(1, 1, name="out")(x), name="flat")
    assert find_hints(net(unet), student) == [
        Hint(ENCODER, "encoder1_conv2", "encoder1_conv3"),
        Hint(DECODER, "mask", "out"),
    ]


def test_hints_can_be_chosen():
    chosen = {"encoder1_pool": "bottleneck_conv2", "decoder1_resize": "decoder1_conv1"}
    hints = find_hints(net(unet), net(lw_unet, 2), chosen)
    assert hints == [
        Hint(ENCODER, "bottleneck_conv2", "encoder1_pool"),
        Hint(DECODER, "decoder1_conv1", "decoder1_resize"),
    ]


def odd():
    image = keras.Input(SHAPE)
    return keras.Model(image, keras.layers.Conv2D(1, 3, name="mask")(image), name="odd")


@pytest.mark.parametrize(
    ("student", "chosen", "words"),
    [
        (lambda: net(lw_unet, classes=2), {}, ["1 classes", "2", "model.arguments.classes"]),
        (lambda: net(lw_unet, shape=(32, 32, 3)), {}, ["16x16x3", "32x32x3", "same size"]),
        (lambda: net(lw_unet, shape=(16, 16, 1)), {}, ["16x16x3", "16x16x1", "channels"]),
        (odd, {}, ["odd", "unet", "distillation.hints"]),
        (
            lambda: net(lw_unet),
            {"encoder9_conv1": "encoder1_conv1"},
            ["encoder9_conv1: lw_unet has no such layer", "distillation.hints"],
        ),
        (
            lambda: net(lw_unet),
            {"encoder1_conv1": "encoder9_conv1"},
            ["encoder9_conv1: unet has no such layer", "distillation.hints"],
        ),
        (
            lambda: net(lw_unet),
            {"encoder1_conv1": "bottleneck_conv1"},
            ["encoder1_conv1", "(16, 16)", "bottleneck_conv1", "(8, 8)", "same resolution"],
        ),
    ],
    ids=["classes", "size", "channels", "no stages", "student's", "teacher's", "resolution"],
)
def test_networks_that_do_not_match(teacher, student, chosen, words):
    with pytest.raises(InputError) as error:
        find_hints(teacher, student(), chosen)
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


def maps(model, names, images):
    """Outputs of layers; with a single one Keras does not return a list."""
    outputs = [model.get_layer(name).output for name in names]
    values = keras.Model(model.inputs, outputs)(images, training=False)
    return [np.asarray(v) for v in (values if len(outputs) > 1 else [values])]


def adapters_of(learner, student):
    own = {id(weight) for weight in student.weights}
    return [weight for weight in learner.trainable_variables if id(weight) not in own]


@pytest.mark.parametrize("width", [4, 2], ids=["same width", "narrower"])
@pytest.mark.parametrize("count", [1, 3])
def test_loss_of_hints_equals_numpy(teacher, images, width, count):
    keras.utils.set_random_seed(1)
    student = net(lw_unet, width)
    hints = [h for h in find_hints(teacher, student) if h.phase == ENCODER][:count]
    learner = HintLearner(teacher, student, hints)
    learner.compile("adam")
    adapters = adapters_of(learner, student)
    assert len(adapters) == (0 if width == 4 else count)
    targets = maps(teacher, [h.teacher for h in hints], images)
    ours = maps(student, [h.student for h in hints], images)
    if width != 4:
        ours = [np.einsum("nhwi,io->nhwo", m, a.numpy()[0, 0]) for m, a in zip(ours, adapters)]  # noqa: B905
    errors = [np.mean((t - o) ** 2) / np.var(t) for t, o in zip(targets, ours, strict=True)]
    loss = learner.evaluate(images, np.zeros(4), batch_size=4, verbose=0)
    assert loss == pytest.approx(np.mean(errors), rel=1e-3)


def test_hint_of_the_teacher_itself_is_learned_already(teacher, images):
    learner = HintLearner(teacher, teacher, find_hints(teacher, teacher))
    learner.compile("adam")
    assert learner.evaluate(images, np.zeros(4), verbose=0) == 0


def test_hints_train_student_and_adapters_but_not_the_teacher(teacher, images):
    keras.utils.set_random_seed(1)
    student = net(lw_unet, 2)
    hints = [hint for hint in find_hints(teacher, student) if hint.phase == ENCODER]
    learner = HintLearner(teacher, student, hints)
    learner.compile(keras.optimizers.Adam(2e-2))
    adapters = adapters_of(learner, student)
    assert [a.shape for a in adapters] == [(1, 1, 2, 4)] * 2 + [(1, 1, 4, 8)] * 2
    before = [[w.numpy() for w in group] for group in (teacher.weights, student.weights, adapters)]
    history = learner.fit(images, np.zeros(4), epochs=15, verbose=0).history["loss"]
    assert history[-1] < 0.9 * history[0]
    for old, new in zip(before[0], teacher.weights, strict=True):
        np.testing.assert_array_equal(old, new)
    for old, new in zip(before[2], adapters, strict=True):
        assert np.abs(old - new).max() > 0
    # What lies behind the last hint has no part in it.
    for old, new in zip(before[1], student.weights, strict=True):
        name = new.name.split("/")[0]
        assert (np.abs(old - new).max() > 0) == (not name.startswith(("decoder", "mask")))
    # The teacher's weights are not the student's, nor stored with them.
    ids = {id(weight) for weight in learner.weights}
    assert not ids & {id(weight) for weight in teacher.weights}


def binary_cross_entropy(target, probability):
    p = np.clip(probability, 1e-7, 1 - 1e-7)
    return -(target * np.log(p) + (1 - target) * np.log(1 - p))


def mask_loss(target, predicted, dice_weight):
    """By image: sums over pixels for each class, then means over classes."""
    cross_entropy = binary_cross_entropy(target, predicted).mean((1, 2, 3))
    overlap, total = (target * predicted).sum((1, 2)), (target + predicted).sum((1, 2))
    dice = ((2 * overlap + 1) / (total + 1)).mean(-1)
    return cross_entropy + dice_weight * (1 - dice)


def soft_mask_loss(masks, soft, predicted, share, dice_weight):
    hard, learned = (mask_loss(target, predicted, dice_weight) for target in (masks, soft))
    return (1 - share) * hard + share * learned


@pytest.mark.parametrize("classes", [1, 2])
@pytest.mark.parametrize(("share", "dice_weight"), [(0.0, 1.0), (0.3, 0.5), (1.0, 1.0)])
def test_loss_of_soft_masks_equals_numpy(classes, share, dice_weight):
    rng = np.random.default_rng(3)
    shape = (3, 8, 8, classes)
    soft, predicted = rng.uniform(0.01, 0.99, (2, *shape)).astype(np.float32)
    masks = (rng.random(shape) > 0.7).astype(np.float32)
    loss = SoftMaskLoss(share, BceDiceLoss(dice_weight))
    both = np.concatenate([masks, soft], axis=-1)
    expected = soft_mask_loss(masks, soft, predicted, share, dice_weight)
    np.testing.assert_allclose(loss.call(both, predicted), expected, rtol=1e-4)
    assert float(loss(both, predicted)) == pytest.approx(expected.mean(), rel=1e-4)


def test_soft_masks_train_the_student_but_not_the_teacher(teacher, images, masks):
    keras.utils.set_random_seed(1)
    student = net(lw_unet, 2)
    learner = SoftMaskLearner([teacher], student)
    learner.compile(
        optimizer=keras.optimizers.Adam(1e-2), **mask_losses(SoftMaskLoss(1.0, BceDiceLoss(0.0)))
    )
    before = [[w.numpy() for w in model.weights] for model in (teacher, student)]
    target, untrained = (np.asarray(m(images)) for m in (teacher, student))
    learner.fit(images, masks, epochs=30, verbose=0)
    for old, new in zip(before[0], teacher.weights, strict=True):
        np.testing.assert_array_equal(old, new)
    assert any(np.abs(o - n).max() > 0 for o, n in zip(before[1], student.weights, strict=True))
    # With all the weight on the teacher, and none on Dice, which asks for decisions, the student
    # comes to give the teacher's probabilities.
    trained = np.asarray(student(images))
    assert np.abs(trained - target).mean() < 0.7 * np.abs(untrained - target).mean()
    ids = {id(weight) for weight in learner.weights}
    assert not ids & {id(weight) for weight in teacher.weights}


def test_soft_masks_are_validated_on_the_masks_alone(teacher, images, masks):
    keras.utils.set_random_seed(1)
    student = net(lw_unet, 2)
    learner = SoftMaskLearner([teacher], student)
    learner.compile("adam", **mask_losses(SoftMaskLoss(0.25, BceDiceLoss(0.5))))
    scores = learner.evaluate(images, masks, verbose=0, return_dict=True)
    predicted = np.asarray(student(images))
    expected = soft_mask_loss(masks, masks, predicted, 0.25, 0.5).mean()
    assert scores["loss"] == pytest.approx(expected, rel=1e-4)
    found, truth = predicted > 0.5, masks > 0
    dice = 2 * (found & truth).sum((1, 2, 3)) / (found.sum((1, 2, 3)) + truth.sum((1, 2, 3)))
    assert scores["image_dice"] == pytest.approx(dice.mean(), rel=1e-4)


@pytest.mark.parametrize("mirrored", [False, True])
def test_soft_masks_are_the_mean_of_the_teachers(mirrored, images, masks):
    keras.utils.set_random_seed(1)
    teachers = [net(unet, 2), enliven(net(lw_unet, 4, normalized=True))]
    student = net(lw_unet, 2)
    learner = SoftMaskLearner(teachers, student, mirrored)
    learner.compile(
        optimizer=keras.optimizers.SGD(0.0), **mask_losses(SoftMaskLoss(0.8, BceDiceLoss(1.0)))
    )
    loss = learner.fit(images, masks, batch_size=len(images), verbose=0).history["loss"][0]
    soft = np.mean([teacher(images) for teacher in teachers], axis=0)
    if mirrored:
        answers = [np.flip(teacher(np.flip(images, 2)), 2) for teacher in teachers]
        soft = (soft + np.mean(answers, axis=0)) / 2
    expected = soft_mask_loss(masks, soft, np.asarray(student(images)), 0.8, 1.0).mean()
    assert loss == pytest.approx(expected, rel=1e-4)


def test_a_teacher_that_cannot_be_folded_teaches_too(images, masks):
    image = keras.Input((16, 16, 3))
    layer = keras.layers.Conv2D(3, 3, padding="same", activation="swish")
    mask = keras.layers.Conv2D(1, 1, activation="sigmoid", name="mask")
    teacher = keras.Model(image, mask(layer(layer(image))), name="twice")
    student = net(lw_unet, 2)
    learner = SoftMaskLearner([teacher], student)
    learner.compile(
        optimizer=keras.optimizers.SGD(0.0), **mask_losses(SoftMaskLoss(1.0, BceDiceLoss(1.0)))
    )
    loss = learner.fit(images, masks, batch_size=len(images), verbose=0).history["loss"][0]
    soft = np.asarray(teacher(images))
    expected = soft_mask_loss(masks, soft, np.asarray(student(images)), 1.0, 1.0).mean()
    assert loss == pytest.approx(expected, rel=1e-4)


def halved(maps):
    """Half the size by a triangle that reaches two pixels each way; beyond is nothing."""
    weights = np.zeros((maps.shape[1] // 2, maps.shape[1]))
    for row, places in enumerate(weights):
        for offset, weight in zip(range(-1, 3), (1, 3, 3, 1), strict=True):
            if 0 <= 2 * row + offset < len(places):
                places[2 * row + offset] = weight
    weights /= weights.sum(1, keepdims=True)
    return np.einsum("iy,nyxc,jx->nijc", weights, maps, weights)


def test_teachers_of_another_size_see_the_images_and_answer_at_their_own(images, masks):
    keras.utils.set_random_seed(1)
    teacher, student = net(unet, 4, shape=(32, 32, 3)), net(lw_unet, 2)
    learner = SoftMaskLearner([teacher], student)
    learner.compile(
        optimizer=keras.optimizers.SGD(0.0), **mask_losses(SoftMaskLoss(0.8, BceDiceLoss(1.0)))
    )
    loss = learner.fit(images, masks, batch_size=len(images), verbose=0).history["loss"][0]
    larger = np.stack([cv2.resize(one, (32, 32), interpolation=cv2.INTER_LINEAR) for one in images])
    soft = halved(np.asarray(teacher(larger)))
    expected = soft_mask_loss(masks, soft, np.asarray(student(images)), 0.8, 1.0).mean()
    assert loss == pytest.approx(expected, rel=1e-4)


def test_teachers_of_other_channels_are_refused():
    other = unet((16, 16, 1), base_width=2, depth=2)
    with pytest.raises(InputError, match="sees 1 channels, the student 3; set preprocessing"):
        SoftMaskLearner([net(unet, 2), other], net(lw_unet, 2))
