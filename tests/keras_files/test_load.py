"""Keras files of both generations become networks that compute what the files' own do."""

import keras as keras3
import numpy as np
import pytest
import tf_keras as keras2

from tests.keras_files.models import (
    GENERATIONS,
    classifier,
    images,
    mobilenet_unet,
    randomized,
    saved,
    unet,
)
from tinyseg.errors import InputError
from tinyseg.keras_files import description
from tinyseg.keras_files.load import flat_network, open_model, opened, pixel_range

L3, L2 = keras3.layers, keras2.layers
FORMS = [
    *(("Keras 2", kind) for kind in ("keras", "h5", "SavedModel", "export")),
    *(("Keras 3", kind) for kind in ("keras", "h5", "export")),
]


def flat(model, shape=None):
    source = opened(model, "mine")
    return flat_network(source, shape or source.shape, "mine")


def same(model, network, inputs):
    wanted = np.asarray(model(inputs, training=False))
    np.testing.assert_allclose(network(inputs, training=False), wanted, atol=1e-4)


@pytest.mark.parametrize(("generation", "kind"), FORMS)
def test_files_compute_what_their_models_do(generation, kind, tmp_path):
    model = unet(GENERATIONS[generation])
    path = saved(model, tmp_path, kind)
    assert description.is_model(path)
    source = open_model(path)
    assert source.shape == (32, 32, 1)
    network = flat_network(source, source.shape, "mine")
    assert isinstance(network, keras2.Model)
    assert network.name == "mine"
    same(model, network, images())


@pytest.mark.parametrize("keras", GENERATIONS.values(), ids=GENERATIONS)
def test_layers_are_flat_and_of_keras_2(keras):
    kinds = [type(layer) for layer in flat(unet(keras)).layers]
    assert kinds == [
        L2.InputLayer, L2.Conv2D, L2.MaxPooling2D, L2.Conv2D, L2.BatchNormalization, L2.ReLU,
        L2.Conv2DTranspose, L2.Concatenate, L2.SeparableConv2D, L2.Conv2D,
    ]  # fmt: skip


@pytest.mark.parametrize("keras", GENERATIONS.values(), ids=GENERATIONS)
def test_encoders_of_keras_applications(keras):
    model = mobilenet_unet(keras)
    same(model, flat(model), images(channels=3))


def test_layers_of_keras_3_may_have_names_of_any_letters():
    x = image = L3.Input((8, 8, 1), name="ein bild")
    for name in ("über alles", "_1", "a b", "a_b"):
        x = L3.Conv2D(2, 3, padding="same", name=name)(x)
    model = keras3.Model(image, L3.Conv2D(1, 1, activation="sigmoid", name="m>1")(x))
    network = flat(model)
    assert len({layer.name for layer in network.layers}) == len(network.layers)
    same(model, network, images(size=8))


def test_half_precision_becomes_float32():
    policy = keras3.dtype_policies.DTypePolicy("mixed_float16")
    image = L3.Input((32, 32, 1))
    model = keras3.Model(image, L3.Conv2D(1, 3, activation="sigmoid", dtype=policy)(image))
    network = flat(model)
    assert network.output.dtype == "float32"
    np.testing.assert_allclose(network(images()), np.asarray(model(images())), atol=1e-2)


@pytest.mark.parametrize(
    "layer",
    [
        lambda x: x * 2.0 + x,
        L3.LeakyReLU(0.1),
        L3.Activation("hard_sigmoid"),
        L3.Activation("gelu"),
        L3.RMSNormalization(),
        L3.LayerNormalization(),
        L3.Normalization(mean=[0.4], variance=[0.04]),
        L3.AdaptiveAveragePooling2D((16, 16)),
        lambda x: keras3.ops.concatenate([x, keras3.ops.flip(x, 1)], -1),
        lambda x: x[:, ::2, ::2][:, :14, 1:],
    ],
)
def test_what_keras_2_has_no_twin_of(layer):
    image = L3.Input((32, 32, 1))
    x = layer(L3.Conv2D(3, 3)(image)) if not isinstance(layer, L3.Normalization) else layer(image)
    model = randomized(keras3.Model(image, L3.Conv2D(1, 1, activation="sigmoid")(x)))
    same(model, flat(model), images())


@pytest.mark.parametrize("keras", GENERATIONS.values(), ids=GENERATIONS)
def test_layers_used_twice(keras):
    image = keras.layers.Input((32, 32, 2))
    twice = keras.layers.Conv2D(2, 3, padding="same")
    out = keras.layers.Conv2D(1, 1, activation="sigmoid")(twice(twice(image)))
    same(model := keras.Model(image, out), flat(model), images(channels=2))


def test_any_size_is_settled():
    image = L3.Input((None, None, 1))
    model = keras3.Model(image, L3.Conv2D(1, 3, padding="same", activation="sigmoid")(image))
    assert opened(model, "mine").shape == (None, None, 1)
    assert flat(model, (16, 24, 1)).output_shape == (None, 16, 24, 1)


def test_one_image_at_a_time_stays_so():
    image = keras2.Input((32, 32, 1), batch_size=1)
    model = keras2.Model(image, L2.Conv2D(1, 3, activation="sigmoid")(image))
    network = flat(model)
    assert network.input_shape == (1, 32, 32, 1)
    same(model, network, images(1))


@pytest.mark.parametrize("keras", GENERATIONS.values(), ids=GENERATIONS)
@pytest.mark.parametrize(
    ("first", "scale"),
    [
        (lambda layers, x: layers.Rescaling(1 / 127.5, offset=-1)(x), 1.0),
        (lambda layers, x: layers.Rescaling(2.0, offset=-1)(x), 1 / 255),
        (lambda layers, x: layers.Normalization(mean=[110.0], variance=[900.0])(x), 1.0),
        (lambda layers, x: layers.Normalization(mean=[0.4], variance=[0.04])(x), 1 / 255),
        (lambda layers, x: x / 127.5 - 1.0, 1.0),
        (lambda layers, x: layers.ZeroPadding2D(1)(layers.Rescaling(1 / 255)(x)), 1.0),
        (lambda layers, x: layers.Conv2D(1, 1)(x), None),
    ],
)
def test_range_that_the_first_layers_tell(keras, first, scale):
    image = keras.layers.Input((32, 32, 1))
    x = first(keras.layers, image)
    model = keras.Model(image, keras.layers.Conv2D(1, 3, activation="sigmoid")(x))
    told = pixel_range(opened(model, "mine"))
    assert (told and told[0]) == scale
    same(model, flat(model), 255 * images() if scale == 1 else images())


def test_range_is_told_within_nested_networks():
    inner = classifier(keras3)
    image = L3.Input((32, 32, 1))
    assert pixel_range(opened(keras3.Model(image, inner(image)), "mine"))[0] == 1.0


@pytest.mark.parametrize("keras", GENERATIONS.values(), ids=GENERATIONS)
def test_scores_get_the_probabilities_that_they_lack(keras):
    image = keras.layers.Input((8, 8, 1))
    model = keras.Model(image, keras.layers.Conv2D(1, 3)(image))
    wanted = 1 / (1 + np.exp(-np.asarray(model(images(size=8)))))
    np.testing.assert_allclose(flat(model)(images(size=8)), wanted, atol=1e-5)
    dense = keras.Sequential(
        [keras.layers.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    np.testing.assert_allclose(np.sum(flat(dense)(images(size=8)), -1), 1, atol=1e-5)


class Argmax:
    """The function, as a network of Keras 3 calls it."""

    def __call__(self, scores):
        return keras3.ops.argmax(scores, -1)


def two_inputs():
    pair = [L3.Input((8, 8, 1)), L3.Input((8, 8, 1))]
    return keras3.Model(pair, L3.Conv2D(1, 1)(L3.Add()(pair)))


def two_outputs():
    image = L3.Input((8, 8, 1))
    return keras3.Model(image, [L3.Conv2D(1, 1)(image), L3.Conv2D(2, 1)(image)])


def ending(*layers):
    image = L3.Input((8, 8, 1))
    x = image
    for layer in layers:
        x = layer(x)
    return keras3.Model(image, x)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (two_outputs, r"has 2 outputs \(conv2d"),
        (lambda: ending(L3.Conv2D(2, 1)), "2 channels of scores"),
        (lambda: ending(L3.Conv2D(1, 1, activation="relu")), "ends in relu"),
        (lambda: ending(L3.Conv2D(2, 3), Argmax()), r"ends in int32 \(6, 6\), neither a mask"),
        (lambda: ending(L3.Conv2D(1, 1), L3.Reshape((8, 8))), r"float32 \(8, 8\), neither"),
        (lambda: ending(L3.Conv2D(2, 1), L3.Flatten()), r"\(128,\), neither a mask"),
        (lambda: ending(L3.Conv2D(2, 1), L3.Permute((3, 1, 2))), r"end it in .*Permute"),
        (lambda: keras3.Sequential([L3.Input((3, 8, 8)), L3.Flatten()]), "channels first"),
        (lambda: keras3.Sequential([L3.Input((8, 8, 5)), L3.Flatten()]), "images of 5 channels"),
        (two_inputs, r"has 2 inputs \(.*channels of one"),
        (lambda: keras3.Sequential([L3.Input((8,)), L3.Dense(2)]), "one image"),
        (lambda: keras3.Sequential([L3.Conv2D(1, 1)]), "layers are not known"),
    ],
)
def test_what_cannot_be_is_one_line(model, words):
    with pytest.raises(InputError, match=words) as caught:
        flat(model())
    assert "\n" not in str(caught.value)


def test_infinite_weights_are_refused():
    model = ending(L3.Conv2D(1, 1, activation="sigmoid"))
    model.set_weights([np.full_like(w, np.nan) for w in model.get_weights()])
    with pytest.raises(InputError):
        flat(model)
