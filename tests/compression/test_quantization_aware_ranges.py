"""Ranges of tensors: from all images, joined where a scale is shared, fixed where a kernel says so.

What a layer gives is computed by the float network or by NumPy, image by image.
"""

import numpy as np
import pytest
import tf_keras as keras

from tests import fixtures
from tinyseg.compression.quantization import convert_quantization_aware
from tinyseg.compression.quantization_aware import quantization_aware
from tinyseg.errors import InputError
from tinyseg.tflite import TfliteModel
from tinyseg.zoo.blocks.residual_binarization import ResidualSign

L = keras.layers
SHAPE = (4, 4, 2)
PLAN = fixtures.plan("qat_wi8_ai8", "integer", 4)


def conv(name, channels=3, scale=1.0, bias=0.0, **arguments):
    """A convolution of each pixel, of both signs."""
    return L.Conv2D(
        channels,
        1,
        name=name,
        kernel_initializer=keras.initializers.RandomNormal(0, scale, seed=len(name) + channels),
        bias_initializer=keras.initializers.Constant(bias),
        **arguments,
    )


def images_with(factors):
    """Images that are all the same but for a factor."""
    image = np.random.default_rng(5).uniform(0.5, 1, SHAPE)
    return np.float32([image * factor for factor in factors])


def outputs(model, images):
    """Every layer's outputs, one image at a time."""
    probe = keras.Model(model.input, {layer.name: layer.output for layer in model.layers})
    each = [probe(image[None], training=False) for image in images]
    return {name: np.concatenate([one[name] for one in each]) for name in each[0]}


def ranges_of(aware):
    """Ends of each layer's range; None where it has that of its input."""
    return {layer.name: layer.quantize_config.output for layer in aware.layers[1:]}


def ends(*arrays):
    """The least and the greatest of all values and zero."""
    return min(0.0, *map(np.min, arrays)), max(0.0, *map(np.max, arrays))


# More images than are looked at together; the greatest and the least are once in each place.
@pytest.mark.parametrize(("most", "least"), [(0, 19), (19, 0), (9, 3), (3, 17)])
def test_ranges_are_those_of_all_images(most, least):
    factors = np.ones(20)
    factors[most], factors[least] = 7, -5
    images = images_with(factors)
    image = keras.Input(SHAPE, name="image")
    model = keras.Model(image, conv("body", bias=0.3)(image), name="net")
    found = ranges_of(quantization_aware(model, images))
    kernel, bias = model.get_layer("body").get_weights()
    assert found["image_rounding"] == pytest.approx(ends(images), rel=1e-6)
    assert found["body"] == pytest.approx(ends(images @ kernel[0, 0] + bias), rel=1e-5)


def test_ranges_go_into_the_file():
    """Twenty images, of which the first and the last are dull."""
    factors = np.ones(20)
    factors[[4, 11]] = 7, -5
    images = images_with(factors)
    image = keras.Input(SHAPE, name="image")
    model = keras.Model(image, conv("body", bias=0.3)(image), name="net")
    file = TfliteModel.parse(convert_quantization_aware(quantization_aware(model, images), PLAN))
    kernel, bias = model.get_layer("body").get_weights()
    for tensor, values in (
        (file.inputs[0], images),
        (file.outputs[0], images @ kernel[0, 0] + bias),
    ):
        low, high = ends(values)
        scale = float(tensor.scales[0])
        assert scale == pytest.approx((high - low) / 255, rel=1e-4)
        assert (-128 - int(tensor.zero_points[0])) * scale == pytest.approx(low, abs=0.51 * scale)


@pytest.mark.parametrize("sign", [1, -1])
def test_zero_is_in_every_range(sign):
    """Where all values are above it, or all below."""
    image = keras.Input(SHAPE, name="image")
    model = keras.Model(image, conv("body", scale=0.01, bias=4 * sign)(image), name="net")
    images = images_with([1, 0.5])
    low, high = ranges_of(quantization_aware(model, images))["body"]
    values = outputs(model, images)["body"]
    if sign > 0:
        assert values.min() > 1
        assert (low, high) == (0, pytest.approx(values.max(), rel=1e-6))
    else:
        assert values.max() < -1
        # There is room for zero and nothing above it.
        assert (low, high) == (pytest.approx(values.min(), rel=1e-6), 0)


def test_layer_that_is_always_zero_has_a_range():
    image = keras.Input(SHAPE, name="image")
    model = keras.Model(image, conv("body", scale=0.0)(image), name="net")
    images = images_with([1, 2])
    aware = quantization_aware(model, images)
    assert ranges_of(aware)["body"] == (0, pytest.approx(1e-6))
    np.testing.assert_array_equal(aware(images), np.zeros((2, 4, 4, 3)))


def test_batch_normalization_and_dropout_are_as_in_inference():
    image = keras.Input(SHAPE, name="image")
    x = L.Dropout(0.9)(L.BatchNormalization(name="norm")(L.MaxPooling2D(name="pool")(image)))
    model = keras.Model(image, x, name="net")
    model.get_layer("norm").set_weights([np.float32(v) for v in ([3, 2], [1, 5], [4, 0], [2, 1])])
    images = images_with([2, -1, 1])
    found = ranges_of(quantization_aware(model, images))
    assert found["norm"] == pytest.approx(ends(outputs(model, images)["norm"]), rel=1e-5)


JOINED = {
    "as they are": lambda a, b: [a, b],
    "max pooling": lambda a, b: [L.MaxPooling2D()(a), L.MaxPooling2D()(b)],
    "resizing": lambda a, b: [L.UpSampling2D()(L.AveragePooling2D()(a)), b],
    "padding": lambda a, b: [L.ZeroPadding2D(1)(a), L.ZeroPadding2D(1)(b)],
    "reshaping": lambda a, b: [L.Reshape((2, 8, 3))(b), L.Reshape((2, 8, 3))(a)],
}


@pytest.mark.parametrize("between", JOINED.values(), ids=JOINED)
def test_tensors_that_are_joined_share_a_range(between):
    """Not the one of the first, nor that of the last, but one that holds all their values."""
    image = keras.Input(SHAPE, name="image")
    # The lowest values are in one, the highest in the other.
    a, b = conv("a", bias=-6)(image), conv("b", scale=2.0, bias=9)(image)
    other = conv("other")(L.Concatenate()(between(a, b)))
    model = keras.Model(image, other, name="net")
    images = images_with([1, 0.3])
    aware = quantization_aware(model, images)
    values, found = outputs(model, images), ranges_of(aware)
    shared = ends(values["a"], values["b"])
    assert shared[0] < -4
    assert shared[1] > 7
    assert found["a"] == found["b"] == pytest.approx(shared, rel=1e-5)
    assert found["other"] == pytest.approx(ends(values["other"]), rel=1e-5)
    # Layers on one scale have no range of their own, and the image keeps its.
    own = {"a", "b", "other", "image_rounding"}
    assert {name for name, output in found.items() if output is not None} == own
    assert found["image_rounding"] == pytest.approx(ends(images), rel=1e-6)


def test_three_tensors_joined_in_turn_share_a_range():
    """A first join of two, a second of that with a third, whatever the order."""
    image = keras.Input(SHAPE, name="image")
    a, b, c = conv("a", bias=-9)(image), conv("b")(image), conv("c", bias=11)(image)
    x = L.Concatenate()([c, L.Concatenate()([b, a])])
    model = keras.Model(image, conv("end")(x), name="net")
    images = images_with([1, 0.3])
    values, found = outputs(model, images), ranges_of(quantization_aware(model, images))
    shared = ends(values["a"], values["b"], values["c"])
    assert found["a"] == found["b"] == found["c"] == pytest.approx(shared, rel=1e-5)


@pytest.mark.parametrize("join", [L.Add, L.Multiply])
def test_sums_and_products_have_a_range_of_their_own(join):
    image = keras.Input(SHAPE, name="image")
    a, b = conv("a", bias=-6)(image), conv("b", scale=2.0, bias=9)(image)
    model = keras.Model(image, join(name="joined")([a, b]), name="net")
    images = images_with([1, 0.3])
    values, found = outputs(model, images), ranges_of(quantization_aware(model, images))
    for name in ("a", "b", "joined"):
        assert found[name] == pytest.approx(ends(values[name]), rel=1e-5)


@pytest.mark.parametrize(
    ("activation", "low", "step"),
    [("sigmoid", 0, 1 / 256), ("softmax", 0, 1 / 256), ("tanh", -1, 1 / 128)],
)
def test_ranges_that_a_kernel_fixes(activation, low, step):
    """TensorFlow Lite demands scales of 1/256 or 1/128 there, whatever the images show."""
    image = keras.Input(SHAPE, name="image")
    body = conv("body", scale=0.1, bias=0.1)(image)
    x = L.MaxPooling2D(name="pool")(L.Activation(activation, name="end")(body))
    model = keras.Model(image, x, name="net")
    images = images_with([1, 0.3])
    aware = quantization_aware(model, images)
    found, values = ranges_of(aware), outputs(model, images)
    assert found["end"] == (low, low + 255 * step)
    assert found["body"] == pytest.approx(ends(values["body"]), rel=1e-5)
    # Every value is one of its steps, and the nearest.
    np.testing.assert_allclose(aware(images) / step, np.round(aware(images) / step), atol=1e-4)
    assert np.abs(aware(images) - model(images)).max() < 0.05
    file = TfliteModel.parse(convert_quantization_aware(aware, PLAN))
    assert file.outputs[0].scales == pytest.approx(step)
    assert file.outputs[0].zero_points == (-128 if low == 0 else 0)


@pytest.mark.parametrize(
    ("activation", "bias", "cut"),
    [
        ("sigmoid", 3.0, True),
        ("sigmoid", -3.0, True),
        ("sigmoid", 0.5, False),
        ("tanh", 3.0, True),
        ("tanh", -3.0, True),
        ("tanh", -0.5, False),
    ],
)
def test_values_that_a_fixed_range_would_cut_off_are_refused(activation, bias, cut):
    """One scale for both where they are joined, and the sigmoid's cannot be another."""
    image = keras.Input(SHAPE, name="image")
    gate = L.Activation(activation, name="gate")(conv("body", scale=20.0)(image))
    other = conv("other", scale=0.01, bias=bias)(image)
    model = keras.Model(image, conv("end")(L.Concatenate()([gate, other])), name="net")
    images = images_with([1, -0.3])
    if cut:
        with pytest.raises(InputError, match=r"^other: its values, .* use recipe static_wi8_ai8$"):
            quantization_aware(model, images)
    else:
        found = ranges_of(quantization_aware(model, images))
        assert found["gate"] == found["other"]


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("gammas", [[0.8, -0.3, 0.1], [0.4]])
def test_ranges_of_residual_signs(gammas, positive):
    """The convolution gives integers 0 to 127; the sign all its values, seen or not."""
    image = keras.Input(SHAPE, name="image")
    x = ResidualSign(len(gammas), positive, name="sign")(conv("body", scale=0.01)(image))
    model = keras.Model(image, x, name="net")
    model.get_layer("sign").set_weights([np.float32(gammas)])
    images = images_with([1, 0.3])
    found = ranges_of(quantization_aware(model, images))
    magnitudes = np.abs(gammas)
    # A tenth beyond the last threshold; with one level there is but one, at zero.
    step = (1.1 * magnitudes[:-1].sum() if len(gammas) > 1 else magnitudes[0]) / 63
    assert found["body"] == pytest.approx((-128 * step, 127 * step), rel=1e-5)
    total = magnitudes.sum()
    # Symmetric values need as much below zero as above it, of 127 steps each, and one more.
    expected = (0, 2 * total) if positive else (-128 / 127 * total, total)
    assert found["sign"] == pytest.approx(expected, rel=1e-5)


def test_sign_joined_with_a_convolution_shares_its_range():
    image = keras.Input(SHAPE, name="image")
    sign = ResidualSign(2, name="sign")(conv("body")(image))
    other = conv("other", bias=3, scale=2.0)(image)
    model = keras.Model(image, conv("end")(L.Concatenate()([sign, other])), name="net")
    images = images_with([1, -0.3])
    found, values = ranges_of(quantization_aware(model, images)), outputs(model, images)
    low, high = ends(values["other"])
    assert high > 1
    assert found["sign"] == found["other"] == pytest.approx((min(low, -128 / 127), high), rel=1e-5)


@pytest.mark.parametrize("join", [L.Add, L.Multiply, L.Concatenate])
@pytest.mark.parametrize("order", [1, -1])
def test_image_that_is_joined_is_rounded_wherever_it_stands(join, order):
    """Else the file computes the join in float."""
    image = keras.Input(SHAPE, name="image")
    x = join(name="joined")([conv("body", 2)(image), image][::order])
    model = keras.Model(image, conv("end")(x), name="net")
    aware = quantization_aware(model, images_with([1, 0.3]))
    parents = {node.layer.name for node in aware.get_layer("joined").inbound_nodes[0].parent_nodes}
    assert parents == {"body", "image_rounding"}
    file = TfliteModel.parse(convert_quantization_aware(aware, PLAN))
    assert {op.outputs[0].dtype for op in file.operators} == {"int8"}
