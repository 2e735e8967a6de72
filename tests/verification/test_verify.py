"""The verdict on good, bad and damaged files."""

import json

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from tests import fixtures
from tests.fixtures import Draft, one_operator
from tinyseg.data.dataset import Sample
from tinyseg.data.store import ImageStore
from tinyseg.errors import InputError
from tinyseg.plan import PreprocessingPlan
from tinyseg.runtime.keras import KerasRunner
from tinyseg.runtime.runner import TensorSpec
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.lint import usable
from tinyseg.verification.gates import Gate
from tinyseg.verification.verify import verify

PREPROCESSING = PreprocessingPlan(height=fixtures.SIZE, width=fixtures.SIZE)


def store(images, masks):
    samples = tuple(Sample(f"image {index}") for index in range(len(images)))
    signatures = np.zeros((len(images), 1), np.float32)
    return ImageStore(samples, images, masks.astype(np.uint8), signatures, "")


@pytest.fixture(scope="module")
def images():
    """Images whose masks are what the float network makes of them: it scores Dice 1."""
    pixels = (255 * fixtures.pictures(3, seed=11)).astype(np.uint8)
    masks = fixtures.network()(pixels / np.float32(255), training=False).numpy() > 0.5
    assert 0.1 < masks.mean() < 0.9
    return store(pixels, masks)


@pytest.fixture(scope="module")
def model():
    return TfliteModel.parse(fixtures.quantized(), "model.tflite")


@pytest.fixture(scope="module")
def verdict(model, images):
    return verify(
        model,
        images,
        PREPROCESSING,
        float_runner=KerasRunner(fixtures.network()),
        float_twin=lambda: TfliteModel.parse(fixtures.float_twin()),
        max_drop=0.05,
    )


def dice(truth, prediction):
    """Mean over images of 2 |A and B| / (|A| + |B|)."""
    scores = [
        2 * np.sum(a & b) / (np.sum(a) + np.sum(b))
        for a, b in zip(truth.astype(bool), prediction, strict=True)
    ]
    return np.mean(scores)


class Oracle:
    """A backend that always gives the same probabilities."""

    def __init__(self, probabilities):
        self.input = TensorSpec((1, *probabilities.shape[1:3], 3), "float32")
        self.output = TensorSpec((1, *probabilities.shape[1:]), "float32")
        self._probabilities = probabilities.astype(np.float32)

    def run(self, inputs):
        return self._probabilities


def test_good_file_passes(verdict, images):
    assert verdict.failures == ()
    assert verdict.ok
    assert verdict.bit_exact
    assert verdict.differing_bytes == 0
    assert verdict.unsupported_ops == ()
    assert verdict.warnings == ()
    assert verdict.images == ("image 0", "image 1", "image 2")
    assert verdict.arena.total == verdict.arena.head + verdict.arena.tail


def test_scores_are_those_of_the_reference_kernels(verdict, images, model):
    specification = TensorSpec.of(model.inputs[0])
    # As exact as need be: pixel / 255 lies nowhere near a half of the input's scale.
    stored = specification.quantize(images.images.astype(np.float32) * np.float32(1 / 255))
    outputs = fixtures.reference_outputs(model.content, stored)
    tensor = model.outputs[0]
    prediction = (outputs.astype(float) - tensor.zero_points[0]) * tensor.scales[0] > 0.5
    expected = dice(images.masks, prediction)
    assert 0.9 < expected < 1
    assert verdict.scores["tflm"]["dice"] == pytest.approx(expected)
    assert verdict.scores["int8"] == verdict.scores["tflm"]
    assert verdict.scores["float"]["dice"] == 1


def test_signal_to_noise_is_there_for_every_layer(verdict, model):
    assert [row["operator"] for row in verdict.sqnr] == list(range(len(model.operators)))


def test_record_for_json(verdict):
    record = verdict.as_dict()
    restored = json.loads(json.dumps(record, allow_nan=False))
    assert restored == record
    assert record["ok"] is True
    assert record["bit_exact"] is True
    assert record["unsupported_ops"] == []
    assert record["arena_bytes"] == verdict.arena.total
    assert set(record["dice"]) == {"float", "int8", "tflm"}
    assert record["dice"]["tflm"] == verdict.scores["tflm"]["dice"]
    assert type(record["arena_bytes"]) is int


def test_without_the_float_network_its_scores_are_absent(model, images):
    verdict = verify(model, images, PREPROCESSING)
    assert verdict.ok
    record = json.loads(json.dumps(verdict.as_dict(), allow_nan=False))
    assert record["dice"]["float"] is None
    assert record["dice"]["tflm"] == record["dice"]["int8"] > 0.9
    assert record["sqnr"] == []


def test_float_input_and_output_pass_too(images):
    model = TfliteModel.parse(fixtures.quantized(io="float32"))
    verdict = verify(model, images, PREPROCESSING)
    assert verdict.ok
    assert verdict.bit_exact
    assert verdict.scores["tflm"]["dice"] > 0.9


@pytest.mark.parametrize("io", ["integer", "float32"])
def test_rounding_of_int16_products_is_no_failure(io):
    """TFLM rounds them once, TensorFlow Lite twice: on enough images last places differ."""
    pixels = (255 * fixtures.pictures(16, seed=11)).astype(np.uint8)
    masks = fixtures.network()(pixels / np.float32(255), training=False).numpy() > 0.5
    model = TfliteModel.parse(fixtures.quantized("static_wi8_ai16", io))
    verdict = verify(model, store(pixels, masks), PREPROCESSING)
    assert 0 < verdict.differing_bytes < masks.size / 100
    assert not verdict.bit_exact
    assert verdict.scores["tflm"]["dice"] > 0.95
    assert verdict.ok


def test_gate_fails_when_the_float_network_is_much_better(model, images):
    masks = np.random.default_rng(0).random(images.masks.shape) > 0.5
    wrong = store(images.images, masks)
    verdict = verify(model, wrong, PREPROCESSING, float_runner=Oracle(masks))
    assert not verdict.ok
    assert verdict.bit_exact
    assert verdict.scores["float"]["dice"] == 1
    assert verdict.scores["tflm"]["dice"] < 0.8
    (failure,) = verdict.failures
    drop = 1 - verdict.scores["tflm"]["dice"]
    assert failure.startswith(f"model.tflite: Dice falls by {drop:.4f}, allowed are 0.0100; ")
    assert verdict.as_dict()["ok"] is False
    assert verdict.as_dict()["failures"] == [failure]


def test_gate_depends_on_what_is_allowed(model, images, verdict):
    drop = 1 - verdict.scores["tflm"]["dice"]
    for allowed, ok in ((drop + 1e-9, True), (drop - 1e-9, False)):
        again = verify(
            model, images, PREPROCESSING, float_runner=Oracle(images.masks), max_drop=allowed
        )
        assert again.ok is ok


def test_gate_looks_at_images_with_a_lesion_alone(model, images):
    """The first mask is empty: what the network finds there is not counted."""
    masks = images.masks.copy()
    masks[0] = 0
    mixed = store(images.images, masks)
    verdict = verify(model, mixed, PREPROCESSING, float_runner=Oracle(masks), max_drop=0.05)
    assert verdict.scores["float"]["dice"] - verdict.scores["tflm"]["dice"] > 0.3
    assert verdict.scores["tflm"]["with_lesion"]["dice"] > 0.95
    assert verdict.ok


def test_a_worse_float_network_is_no_failure(model, images):
    half = images.masks.copy()
    half[:, 1::2] = 0
    verdict = verify(model, images, PREPROCESSING, float_runner=Oracle(half))
    assert verdict.ok
    assert verdict.scores["float"]["dice"] < verdict.scores["tflm"]["dice"]


def test_a_float_network_that_finds_nothing_is_one(model, images):
    nothing = Oracle(np.zeros(images.masks.shape))
    verdict = verify(model, images, PREPROCESSING, float_runner=nothing)
    assert verdict.misses(Gate.TRIVIAL)
    (line,) = verdict.failures
    assert line.startswith("model.tflite: the float network finds nothing: Dice 0.0000 over ")


def test_threshold_comes_from_the_plan(model, images):
    everything = PreprocessingPlan(fixtures.SIZE, fixtures.SIZE, threshold=0.0)
    verdict = verify(model, images, everything)
    assert verdict.scores["tflm"]["recall"] == 1
    assert verdict.scores["tflm"]["dice"] == pytest.approx(
        dice(images.masks, np.ones(images.masks.shape, bool))
    )


def test_empty_masks_give_finite_scores(model, images):
    verdict = verify(model, store(images.images, np.zeros(images.masks.shape)), PREPROCESSING)
    record = json.loads(json.dumps(verdict.as_dict(), allow_nan=False))
    assert record["dice"]["tflm"] == 0


def test_unsupported_operator_is_named_not_run(images):
    content = one_operator("TILE", [Draft([1, 32, 32, 3])], Draft([1, 32, 32, 1]))
    model = TfliteModel.parse(content, "tile.tflite")
    truth = images.masks
    verdict = verify(model, images, PREPROCESSING, float_runner=Oracle(truth))
    assert not verdict.ok
    assert verdict.unsupported_ops == ("TILE",)
    assert verdict.arena is None
    assert not verdict.bit_exact
    assert len(verdict.failures) == 1
    assert verdict.failures[0].startswith("tile.tflite: operator 0 TILE ")
    record = json.loads(json.dumps(verdict.as_dict(), allow_nan=False))
    assert record["arena_bytes"] is None
    assert record["dice"] == {"float": 1.0, "int8": None, "tflm": None}
    assert record["unsupported_ops"] == ["TILE"]


def test_cmsis_nn_warning_is_passed_on(images):
    image = keras.Input((fixtures.SIZE, fixtures.SIZE, 3), batch_size=1)
    x = keras.layers.Conv2D(8, 3, 2, "same", activation="relu")(image)
    x = keras.layers.Conv2DTranspose(1, 4, 2, "same", bias_initializer="ones")(x)
    content = fixtures.convert(keras.Model(image, x), fixtures.pictures(2))
    verdict = verify(TfliteModel.parse(content), images, PREPROCESSING)
    # Random weights find nothing, which is not asked for here.
    assert {missed.gate for missed in verdict.missed} <= {Gate.TRIVIAL}
    assert len(verdict.warnings) == 1
    assert "CMSIS-NN #233" in verdict.warnings[0]
    assert verdict.as_dict()["warnings"] == list(verdict.warnings)


def assert_refused(reason, model, images, **options):
    with pytest.raises(InputError, match=reason) as error:
        verify(model, images, PREPROCESSING, **options)
    line = str(error.value)
    assert line.startswith(f"{model.path}: ")
    assert "\n" not in line


@pytest.mark.parametrize("shape", [(16, 16, 3), (fixtures.SIZE, fixtures.SIZE, 1)])
def test_images_of_another_size(model, shape):
    other = store(np.zeros((2, *shape), np.uint8), np.zeros((2, *shape[:2], 1)))
    assert_refused(r"takes \(32, 32, 3\) but the images are", model, other)


def network_of(*layers):
    image = keras.Input((fixtures.SIZE, fixtures.SIZE, 3), batch_size=1)
    model = keras.Sequential([image, *layers])
    return TfliteModel.parse(fixtures.convert(model, fixtures.pictures(2)), "other.tflite")


def assert_unscored(model, images, words):
    """Bytes and arena are checked all the same."""
    verdict = verify(model, images, PREPROCESSING)
    assert (verdict.ok, verdict.bit_exact, verdict.task) == (True, True, None)
    assert verdict.arena.total > 0
    assert set(verdict.scores.values()) == {None}
    assert len(verdict.warnings) == 1
    assert verdict.warnings[0].startswith("other.tflite: no scores: ")
    assert words in verdict.warnings[0]
    assert "dice" not in json.loads(json.dumps(verdict.as_dict()))


def test_network_whose_output_is_no_mask(images):
    layers = keras.layers
    classifier = network_of(layers.Conv2D(2, 3, 4), layers.GlobalAveragePooling2D())
    assert_unscored(classifier, images, "the images are for segmentation")


def test_smaller_masks_are_stretched_to_those_of_the_images(images):
    smaller = network_of(keras.layers.Conv2D(1, 3, 2, "same", activation="sigmoid"))
    verdict = verify(smaller, images, PREPROCESSING)
    specification = TensorSpec.of(smaller.inputs[0])
    stored = specification.quantize(images.images.astype(np.float32) * np.float32(1 / 255))
    outputs = fixtures.reference_outputs(smaller.content, stored)
    real = TensorSpec.of(smaller.outputs[0]).dequantize(outputs)
    stretched = tf.image.resize(real, (fixtures.SIZE, fixtures.SIZE)).numpy()
    assert verdict.scores["tflm"]["dice"] == pytest.approx(
        dice(images.masks, stretched > 0.5), abs=2e-3
    )


def test_network_of_more_classes_than_the_masks_have(images):
    assert_unscored(network_of(keras.layers.Conv2D(2, 1)), images, "2 regions, the images 1")


def test_float_file_is_refused(images):
    model = TfliteModel.parse(fixtures.float_twin(), "float.tflite")
    assert_refused("not quantized", model, images)


def test_damaged_file_is_refused(model, images):
    damaged = bytearray(model.content)
    place = model.content.index(model.operators[1].inputs[1].data)
    damaged[place] ^= 1
    assert_refused("checksum", TfliteModel.parse(bytes(damaged), "damaged.tflite"), images)


def test_several_errors_are_counted(model, images):
    changed = fixtures.unpack(model.content)
    for tensor in changed.subgraphs[0].tensors[:3]:
        tensor.quantization.scale = [0.0]
    file = TfliteModel.parse(fixtures.pack(changed), "bad.tflite")
    assert_refused(r"\(and [23] more\)", file, images)


def test_operator_without_a_kernel_for_its_type(images):
    """TFLM has EXP in float32 alone: nothing is run, and the operator and its type are named."""
    content = one_operator("EXP", [Draft([1, 32, 32, 3])], Draft([1, 32, 32, 1]))
    verdict = verify(TfliteModel.parse(content, "exp.tflite"), images, PREPROCESSING)
    (line,) = verdict.failures
    assert line.startswith("exp.tflite: ")
    assert "EXP" in line
    assert "int8" in line
    assert (verdict.unsupported_ops, verdict.arena) == (("EXP",), None)


def test_usable_accepts_float_files_on_request(model):
    twin = TfliteModel.parse(fixtures.float_twin(), "float.tflite")
    assert [f.severity for f in usable(twin, floats=True)] == ["error"]
    with pytest.raises(InputError, match="tinyseg quantize"):
        usable(twin)
    assert usable(model) == []
