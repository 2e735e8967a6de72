"""Each gate fails when, and only when, its input is made to fail."""

import dataclasses
import itertools
import json

import numpy as np
import pytest

from tests import fixtures
from tests.fixtures import Draft, one_operator
from tests.tflite.drafts import File
from tests.verification.host_board import on
from tinyseg.data.dataset import Sample
from tinyseg.data.store import ImageStore
from tinyseg.errors import InputError
from tinyseg.plan import PreprocessingPlan
from tinyseg.runtime.runner import TensorSpec
from tinyseg.runtime.tflm import TflmRunner
from tinyseg.tflite import TfliteModel
from tinyseg.verification.sqnr import layer_sqnr
from tinyseg.verification.verify import verify

SHAPE = (6, 5)
PREPROCESSING = PreprocessingPlan(*SHAPE, 1)
# Whatever is not black is marked.
FINDS_ALL = dataclasses.replace(PREPROCESSING, threshold=0.05)


def store(images, masks=None, **more):
    masks = images > 30 if masks is None else masks
    samples = tuple(Sample(f"image {n}") for n in range(len(images)))
    signatures = np.zeros((len(images), 1), np.float32)
    return ImageStore(samples, images, masks.astype(np.uint8), signatures, "", **more)


def activation(opcode, scale, zero_point=0, dtype="int8", first=(1 / 255, -128)):
    """A file of one operator for images of one channel; a pixel p is stored as p - 128."""
    source = Draft((1, *SHAPE, 1), dtype, scale=first[0], zero_point=first[1])
    target = Draft((1, *SHAPE, 1), dtype, scale=scale, zero_point=zero_point)
    return TfliteModel.parse(one_operator(opcode, [source], target), "net.tflite")


@pytest.fixture(scope="module")
def unlike():
    """A file on which the two interpreters differ.

    TensorFlow Lite Micro takes the scale of a hyperbolic tangent for 1/128 whatever the file says,
    TensorFlow Lite takes it from the file: with 1/127 they part where the result is large.
    """
    return activation("TANH", 1 / 127)


@pytest.fixture
def few():
    """Two images on which they part in three pixels."""
    images = np.zeros((2, *SHAPE, 1), np.uint8)
    images[0, 1, 2], images[1, 0, 4], images[1, 5, 3] = 60, 84, 252
    return store(images)


def of_both(model, images):
    """What each interpreter stores, straight from both packages."""
    from tflite_micro.python.tflite_micro import runtime

    stored = (images.images.astype(int) - 128).astype(np.int8)
    interpreter = runtime.Interpreter.from_bytes(model.content)
    outputs = []
    for image in stored:
        interpreter.set_input(image[None], 0)
        interpreter.invoke()
        outputs.append(interpreter.get_output(0)[0].copy())
    return fixtures.reference_outputs(model.content, stored), np.stack(outputs)


@pytest.mark.parametrize("pixels", [3, 1])
def test_bytes_that_differ_from_the_reference_fail(unlike, few, pixels):
    if pixels == 1:
        few.images[1] = 0
    reference, tflm = of_both(unlike, few)
    assert (reference != tflm).sum() == pixels
    verdict = verify(unlike, few, FINDS_ALL)
    assert not verdict.ok
    assert not verdict.bit_exact
    assert verdict.differing_bytes == pixels
    step = np.abs(reference.astype(int) - tflm).max() / 127
    (line,) = verdict.failures
    assert line.startswith(
        f"net.tflite: TFLM and TFLite reference kernels differ in {pixels} of 60 output values, "
        f"by {step:.2g} at most; operator 0 TANH (layer 'tensor_1') is the first to differ"
    )
    assert verdict.warnings == ()
    record = verdict.as_dict()
    assert (record["ok"], record["bit_exact"], record["differing_bytes"]) == (False, False, pixels)
    assert record["failures"] == list(verdict.failures)


def test_the_same_file_passes_on_images_where_nothing_differs(unlike, few):
    few.images[:] = np.minimum(few.images, 20)
    verdict = verify(unlike, few, FINDS_ALL)
    assert (verdict.ok, verdict.bit_exact, verdict.differing_bytes) == (True, True, 0)
    assert verdict.failures == verdict.warnings == ()


def test_each_interpreter_has_scores_of_its_own(unlike, few):
    """With a threshold between what the two make of a pixel they find another mask."""
    few.images[:] = 0
    few.images[0, 2:4, 1] = few.images[1, 3, 0] = 252
    reference, tflm = (out.max() / 127 for out in of_both(unlike, few))
    assert reference < tflm
    between = dataclasses.replace(PREPROCESSING, threshold=(reference + tflm) / 2)
    verdict = verify(unlike, store(few.images, few.images > 0), between)
    assert verdict.scores["tflm"]["recall"] == 1
    assert verdict.scores["int8"]["recall"] == 0
    record = verdict.as_dict()
    assert record["dice"]["tflm"] > record["dice"]["int8"]


def test_int16_that_differs_is_a_warning():
    """Nobody can make the last places of their products agree."""
    pixels = (255 * fixtures.pictures(16, seed=11)).astype(np.uint8)
    images = store(pixels, np.ones((16, fixtures.SIZE, fixtures.SIZE, 1)))
    model = TfliteModel.parse(fixtures.quantized("static_wi8_ai16"), "wide.tflite")
    verdict = verify(model, images, PreprocessingPlan(fixtures.SIZE, fixtures.SIZE, 3))
    assert verdict.differing_bytes > 0
    assert not verdict.bit_exact
    (line,) = verdict.warnings
    assert line.startswith(
        f"wide.tflite: TFLM and TFLite reference kernels differ in {verdict.differing_bytes} of "
        f"{images.masks.size} output values, by "
    )
    assert verdict.failures == ()
    assert verdict.ok


@pytest.fixture(scope="module")
def relu():
    return activation("RELU", 1 / 255, -128)


def images_for(relu, threshold=0.3):
    """Three images and the masks that the network finds in them at a threshold."""
    rng = np.random.default_rng(2)
    images = (10 * rng.integers(0, 26, (3, *SHAPE, 1))).astype(np.uint8)
    return store(images, images / 255 > threshold)


class Says:
    """A float network that gives what it was told."""

    def __init__(self, outputs):
        self.input = TensorSpec((1, *outputs.shape[1:]), "float32")
        self.output = TensorSpec((1, *outputs.shape[1:]), "float32")
        self._outputs = outputs.astype(np.float32)

    def run(self, inputs):
        return self._outputs


def test_threshold_lies_anywhere(relu):
    """Probabilities of 0.3 and less are background, those above it are foreground."""
    images = images_for(relu)
    for threshold, exact in ((0.3, True), (0.5, False), (0.1, False)):
        settings = dataclasses.replace(PREPROCESSING, threshold=threshold)
        verdict = verify(relu, images, settings, float_runner=Says(images.images / 255))
        for backend in ("float", "int8", "tflm"):
            assert (verdict.scores[backend]["dice"] == 1) is exact
    low = dataclasses.replace(PREPROCESSING, threshold=0.1)
    assert verify(relu, images, low).scores["tflm"]["recall"] == 1
    high = dataclasses.replace(PREPROCESSING, threshold=0.5)
    assert verify(relu, images, high).scores["tflm"]["precision"] == 1


def test_inputs_are_scaled_and_shifted_as_the_plan_says(relu):
    images = images_for(relu)
    settings = PreprocessingPlan(*SHAPE, 1, scale=0.5 / 255, offset=0.25, threshold=0.4)
    verdict = verify(relu, images, settings)
    # 0.5 g + 0.25 > 0.4 where g > 0.3: the same masks.
    assert verdict.scores["tflm"]["dice"] == 1


def test_images_that_do_not_suit_are_told_from_the_file(relu):
    settings = PreprocessingPlan(8, 9, 1)
    other = store(np.zeros((2, 8, 9, 1), np.uint8))
    with pytest.raises(InputError) as caught:
        verify(relu, other, settings)
    assert str(caught.value) == "net.tflite: takes (6, 5, 1) but the images are (8, 9, 1)"
    regions = store(np.zeros((2, *SHAPE, 1), np.uint8), np.zeros((2, *SHAPE, 3)))
    for images, words in (
        (regions, "it has 1 regions, the images 3; give images of as many with --data"),
        (classified(2), "its output is sigmoid (a probability for each region), the images are for "
         "classification"),
    ):  # fmt: skip
        verdict = verify(relu, images, PREPROCESSING)
        assert verdict.warnings == (f"net.tflite: no scores: {words}",)
        assert verdict.task is None


@pytest.mark.parametrize(("flip", "differing"), [({}, 0), ({1: [7]}, 1)])
def test_a_board_with_a_wrong_byte_fails(relu, flip, differing):
    images = images_for(relu)
    board = on(relu, flips=flip, ticks=(5, 5, 5, 5))
    verdict = verify(relu, images, PREPROCESSING, device=board)
    assert verdict.bit_exact  # TFLM on the host is as good as ever.
    assert verdict.ok is (differing == 0)
    assert verdict.device.differing_bytes == differing
    assert len(verdict.failures) == differing
    for line in verdict.failures:
        assert line.startswith("net.tflite: host_board and TFLM on the host differ in 1 output")
    record = verdict.as_dict()
    assert record["device"] == dataclasses.asdict(verdict.device)
    assert set(record["dice"]) == {"float", "int8", "tflm", "device"}
    assert json.loads(json.dumps(record, allow_nan=False))["device"]["board"] == "host_board"


def test_a_board_is_held_against_tflm_and_scored_by_its_own_bytes(unlike, few):
    """It runs TensorFlow Lite's kernels here, which differ from TFLM's in three pixels."""
    board = on(unlike, ticks=(5, 5, 5))
    verdict = verify(unlike, few, PREPROCESSING, device=board)
    assert verdict.device.differing_bytes == verdict.differing_bytes == 3
    assert len(verdict.failures) == 2
    few.images[:] = 0
    few.images[0, 2, 1:3] = few.images[1, 3, 0] = 252
    reference, tflm = (out.max() / 127 for out in of_both(unlike, few))
    between = dataclasses.replace(PREPROCESSING, threshold=(reference + tflm) / 2)
    verdict = verify(
        unlike, store(few.images, few.images > 0), between, device=on(unlike, ticks=(5, 5, 5))
    )
    assert verdict.scores["device"] == verdict.scores["int8"] != verdict.scores["tflm"]


def test_a_board_that_does_not_repeat_itself_fails(relu):
    images = images_for(relu)
    for options in ({"flips": {3: [0]}}, {"ticks": (5, 5, 5, 6)}):
        board = on(relu, **{"ticks": (5, 5, 5, 5), **options})
        verdict = verify(relu, images, PREPROCESSING, device=board)
        assert verdict.failures == (
            "net.tflite: host_board: the same image gave other bytes or another count",
        )


def test_unsupported_operators_are_each_named_once_and_run_nowhere():
    file = File()
    tensors = [file.tensor((1, *SHAPE, 1)) for _ in range(4)]
    for opcode, pair in zip(("TILE", "BITCAST", "TILE"), itertools.pairwise(tensors), strict=True):
        file.operator(opcode, pair[:1], pair[1])
    model = TfliteModel.parse(file.content(tensors[:1], tensors[-1:]), "old.tflite")
    images = store(np.zeros((2, *SHAPE, 1), np.uint8), np.ones((2, *SHAPE, 1)))
    never = object()  # Would fail if anything were asked of it.
    verdict = verify(model, images, PREPROCESSING, device=never)
    assert verdict.unsupported_ops == ("BITCAST", "TILE")
    assert not verdict.ok
    assert not verdict.bit_exact
    for number, (line, opcode) in enumerate(
        zip(verdict.failures, ("TILE", "BITCAST", "TILE"), strict=True)
    ):
        assert line.startswith(f"old.tflite: operator {number} {opcode} ")
    assert verdict.device is None
    assert "device" not in verdict.scores
    assert set(verdict.as_dict()["dice"].values()) == {None}


def test_arena_and_images_are_reported(relu):
    images = images_for(relu)
    verdict = verify(relu, images, PREPROCESSING)
    assert verdict.arena == TflmRunner(relu).arena
    record = verdict.as_dict()
    assert record["arena_bytes"] == verdict.arena.total
    assert record["arena"] == dataclasses.asdict(verdict.arena)
    assert record["images"] == ["image 0", "image 1", "image 2"]
    assert record["device"] is None
    assert record["iou"]["tflm"] == verdict.scores["tflm"]["iou"] < record["dice"]["tflm"]


def test_layers_are_compared_on_the_first_image():
    pixels = (255 * fixtures.pictures(2, seed=3)).astype(np.uint8)
    images = store(pixels, np.ones((2, fixtures.SIZE, fixtures.SIZE, 1)))
    settings = PreprocessingPlan(fixtures.SIZE, fixtures.SIZE, 3)
    model, twin = (TfliteModel.parse(c) for c in (fixtures.quantized(), fixtures.float_twin()))
    verdict = verify(model, images, settings, float_twin=lambda: twin)
    assert list(verdict.sqnr) == layer_sqnr(twin, model, images.inputs(settings)[0])
    assert list(verdict.sqnr) != layer_sqnr(twin, model, images.inputs(settings)[1])
    assert verdict.as_dict()["sqnr"] == list(verdict.sqnr)


def classified(count):
    labels = tuple(Sample(f"{n}", label=("cat", "dog")[n % 2]) for n in range(count))
    images = np.zeros((count, *SHAPE, 1), np.uint8)
    masks = np.zeros((count, *SHAPE, 0), np.uint8)
    return ImageStore(labels, images, masks, np.zeros((count, 1)), "", classes=("cat", "dog"))


def test_drop_of_more_than_a_hundredth_fails_unless_told_otherwise():
    """Of 200 pixels m are missed: Dice is 2 (200 - m) / (400 - m), 0.9924 for 3, 0.9899 for 4."""
    shape = (10, 20)
    draft = Draft((1, *shape, 1), scale=1 / 255, zero_point=-128)
    model = TfliteModel.parse(one_operator("RELU", [draft], draft), "net.tflite")
    truth = np.ones((1, *shape, 1))
    for missed, options, ok in (
        (3, {}, True),
        (4, {}, False),
        (4, {"max_drop": 0.02}, True),
        (3, {"max_drop": 0.005}, False),
    ):
        images = np.full((1, *shape, 1), 255, np.uint8)
        images.ravel()[:missed] = 0
        verdict = verify(
            model, store(images, truth), PreprocessingPlan(*shape, 1), float_runner=Says(truth),
            **options,
        )  # fmt: skip
        assert verdict.scores["tflm"]["dice"] == pytest.approx(2 * (200 - missed) / (400 - missed))
        assert verdict.ok is ok
        assert len(verdict.failures) == (not ok)
