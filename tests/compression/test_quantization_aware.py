"""Every layer type: folded without a change, trained with rounding, exported to the same integers.

The yardsticks are the float network (folding) and TFLite's reference kernels (rounding).
"""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from tests import fixtures
from tinyseg import plan as plans
from tinyseg.compression.folding import fold
from tinyseg.compression.quantization import convert_quantization_aware
from tinyseg.compression.quantization_aware import quantization_aware
from tinyseg.errors import InputError
from tinyseg.runtime.runner import network_outputs
from tinyseg.runtime.tflite import TfliteRunner
from tinyseg.runtime.tflm import TflmRunner
from tinyseg.tflite import TfliteModel

L = keras.layers
SHAPE = (16, 16, 3)
PREPROCESSING = plans.PreprocessingPlan(16, 16, 3)
PLAN = fixtures.plan("qat_wi8_ai8", "integer", 4)


def chain(*layers):
    """A body between a convolution and a mask head."""

    def build():
        image = keras.Input(SHAPE, name="image")
        x = L.Conv2D(8, 3, padding="same", activation="relu", name="first")(image)
        for layer in layers:
            x = layer()(x)
        return keras.Model(image, x)

    return build


def branches(join):
    """Two branches of different ranges, joined."""

    def build():
        image = keras.Input(SHAPE, name="image")
        a = L.Conv2D(8, 3, padding="same", activation="relu", name="a")(image)
        b = L.Conv2D(8, 3, padding="same", name="b")(image)
        return keras.Model(image, join(a, b))

    return build


BODIES = {
    "conv": chain(lambda: L.Conv2D(6, 3, padding="same", name="body")),
    "strided conv": chain(lambda: L.Conv2D(6, 3, 2, padding="same", activation="relu")),
    "dilated conv": chain(lambda: L.Conv2D(6, 3, padding="same", dilation_rate=2)),
    "conv without bias, norm, relu": chain(
        lambda: L.Conv2D(6, 3, padding="same", use_bias=False),
        lambda: L.BatchNormalization(),
        lambda: L.ReLU(),
    ),
    "relu before norm": chain(
        lambda: L.Conv2D(6, 3, padding="same", activation="relu"),
        lambda: L.BatchNormalization(),
    ),
    "norm without scale": chain(
        lambda: L.Conv2D(6, 3, padding="same"), lambda: L.BatchNormalization(scale=False)
    ),
    "depthwise, norm": chain(
        lambda: L.DepthwiseConv2D(3, padding="same"), lambda: L.BatchNormalization()
    ),
    "depthwise with multiplier": chain(
        lambda: L.DepthwiseConv2D(3, padding="same", depth_multiplier=2)
    ),
    "separable, norm, relu": chain(
        lambda: L.SeparableConv2D(6, 3, padding="same"),
        lambda: L.BatchNormalization(),
        lambda: L.Activation("relu"),
    ),
    "transposed, norm, relu": chain(
        lambda: L.Conv2DTranspose(6, 3, 2, padding="same"),
        lambda: L.BatchNormalization(),
        lambda: L.ReLU(),
    ),
    "max pool": chain(lambda: L.MaxPooling2D(2)),
    "average pool": chain(lambda: L.AveragePooling2D(2)),
    "nearest": chain(lambda: L.UpSampling2D(2)),
    "bilinear": chain(lambda: L.UpSampling2D(2, interpolation="bilinear")),
    "dropout": chain(lambda: L.Dropout(0.5)),
    "sigmoid": chain(lambda: L.Conv2D(1, 1, activation="sigmoid")),
    "add": branches(lambda a, b: L.Add()([a, b])),
    "multiply": branches(lambda a, b: L.Multiply()([a, b])),
    "gate": branches(
        lambda a, b: L.BatchNormalization()(
            L.Multiply()([L.Conv2D(1, 1, activation="sigmoid")(a), b])
        )
    ),
    "concatenation": branches(lambda a, b: L.Concatenate()([a, b])),
    "concatenation through pooling": branches(
        lambda a, b: L.Concatenate()([L.MaxPooling2D(2)(a), L.MaxPooling2D(2)(b)])
    ),
}


@pytest.fixture(params=BODIES)
def network(request):
    model = BODIES[request.param]()
    rng = np.random.default_rng(3)
    for weight in model.weights:
        if len(weight.shape) == 1:
            weight.assign(rng.uniform(0.3, 1.7, weight.shape))
        else:
            spread = np.sqrt(1 / np.prod(weight.shape[:3]))
            weight.assign(rng.normal(0, spread, weight.shape))
    # A classifier of pixels makes agreement mean something for every body.
    x = L.Conv2D(1, 1, name="mask_logit")(model.output)
    return keras.Model(model.input, L.Activation("sigmoid", name="mask")(x), name="net")


@pytest.fixture
def images():
    return np.random.default_rng(0).random((16, *SHAPE), np.float32)


def test_folding_keeps_the_outputs(network, images):
    folded = fold(network)
    np.testing.assert_allclose(
        folded(images, training=False), network(images, training=False), atol=2e-5
    )
    kinds = {type(layer).__name__ for layer in folded.layers}
    assert not kinds & {"BatchNormalization", "Dropout", "SeparableConv2D"}


def test_export_agrees_with_training(network, images):
    aware = quantization_aware(network, images)
    model = TfliteModel.parse(convert_quantization_aware(aware, PLAN))
    simulated = aware.predict(images, verbose=0)
    exported = network_outputs(TfliteRunner(model, reference=True), images)
    steps = np.abs(exported - simulated) * 256
    # Resizing, products and sums round once more than the simulation.
    assert np.quantile(steps, 0.99) <= 3
    assert ((exported > 0.5) == (simulated > 0.5)).mean() >= 0.999
    # The simulation rounds in earnest: it is not the float network.
    assert np.abs(simulated - network.predict(images, verbose=0)).max() > 1 / 512


def test_export_is_integer_without_conversions_between_scales(network, images):
    model = TfliteModel.parse(convert_quantization_aware(quantization_aware(network, images), PLAN))
    assert not set(model.opcodes) & {"QUANTIZE", "DEQUANTIZE"}
    types = {t.dtype for op in model.operators for t in (*op.inputs, *op.outputs) if t is not None}
    assert types <= {"int8", "int32"}
    stored = TfliteRunner(model, reference=True).input.quantize(images[:2])
    np.testing.assert_array_equal(
        TflmRunner(model).run(stored), TfliteRunner(model, reference=True).run(stored)
    )


def test_network_can_be_converted_twice(images):
    aware = quantization_aware(BODIES["separable, norm, relu"](), images)
    first = convert_quantization_aware(aware, PLAN)
    simulated = aware.predict(images, verbose=0)
    assert convert_quantization_aware(aware, PLAN) == first
    np.testing.assert_array_equal(aware.predict(images, verbose=0), simulated)


def test_weights_have_a_scale_for_each_channel(images):
    model = BODIES["depthwise, norm"]()
    parsed = TfliteModel.parse(convert_quantization_aware(quantization_aware(model, images), PLAN))
    for operator in parsed.operators:
        assert len(operator.inputs[1].scales) == 8


def test_attention_unet_trains_with_rounding(images):
    network = fixtures.network()
    pictures = fixtures.pictures(8)
    aware = quantization_aware(network, pictures)
    truth = (pictures[..., :1] > 0.5).astype(np.float32)
    before = aware.get_layer("encoder1_conv1").get_weights()
    aware.compile(keras.optimizers.Adam(1e-2), "binary_crossentropy")
    losses = aware.fit(pictures, truth, epochs=15, batch_size=4, verbose=0).history["loss"]
    assert losses[-1] < 0.97 * losses[0]
    after = aware.get_layer("encoder1_conv1").get_weights()
    assert any((a != b).any() for a, b in zip(before, after, strict=True))
    model = TfliteModel.parse(convert_quantization_aware(aware, PLAN))
    exported = network_outputs(TfliteRunner(model, reference=True), pictures)
    simulated = aware.predict(pictures, verbose=0)
    assert ((exported > 0.5) == (simulated > 0.5)).mean() >= 0.99


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (lambda: L.Conv2D(2, 1, activation="gelu", name="odd"), "odd: activation 'gelu'"),
        (lambda: L.LayerNormalization(name="odd"), "odd: quantization-aware training"),
    ],
)
def test_layers_without_an_integer_form_are_named(layer, message, images):
    with pytest.raises(InputError, match=message):
        quantization_aware(chain(layer)(), images)


class OtherConv2D(L.Conv2D):
    """Computes something else."""


def test_subclasses_are_not_taken_for_their_parents(images):
    image = keras.Input(SHAPE)
    model = keras.Model(image, OtherConv2D(2, 3, padding="same", name="other")(image))
    with pytest.raises(InputError, match="other"):
        quantization_aware(model, images)


def test_shared_layers_are_named(images):
    image = keras.Input(SHAPE)
    shared = L.Conv2D(3, 3, padding="same", name="twice")
    with pytest.raises(InputError, match="twice: layers used twice"):
        fold(keras.Model(image, shared(shared(image))))


def test_gradient_passes_the_rounding(images):
    aware = quantization_aware(BODIES["conv"](), images)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(aware(images, training=True))
    gradients = tape.gradient(loss, aware.trainable_variables)
    assert all(g is not None and np.abs(g).max() > 0 for g in gradients)
