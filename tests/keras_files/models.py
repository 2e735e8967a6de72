"""Small Keras models as users bring them, in either generation of Keras."""

from pathlib import Path

import keras as keras3
import numpy as np
import tf_keras as keras2

GENERATIONS = {"Keras 2": keras2, "Keras 3": keras3}
SIZE = 32


def unet(keras, classes=1, activation="sigmoid", size=SIZE, channels=1, name="mine"):
    """A network of what users have: nested, normalized, with ReLU6, dropout and a skip."""
    layers = keras.layers
    keras.utils.set_random_seed(1)
    image = layers.Input((size, size, channels))
    skip = layers.Conv2D(4, 3, padding="same", activation="relu")(image)
    x = layers.MaxPooling2D()(skip)
    x = layers.Conv2D(8, 3, padding="same", use_bias=False)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.Conv2DTranspose(4, 2, strides=2)(layers.Dropout(0.2)(x))
    inner = keras.Sequential(
        [layers.Input((size, size, 8)), layers.SeparableConv2D(4, 3, padding="same")], name="inner"
    )
    x = inner(layers.Concatenate()([skip, x]))
    return randomized(
        keras.Model(image, layers.Conv2D(classes, 1, activation=activation)(x), name=name)
    )


def mobilenet_unet(keras, size=SIZE):
    """A U-Net whose encoder is the first half of MobileNetV2, alpha 0.35, random weights."""
    layers = keras.layers
    keras.utils.set_random_seed(1)
    encoder = keras.applications.MobileNetV2(
        input_shape=(size, size, 3), alpha=0.35, include_top=False, weights=None
    )
    x = encoder.get_layer("block_3_expand_relu").output
    x = layers.UpSampling2D(interpolation="bilinear")(x)
    skip = encoder.get_layer("block_1_expand_relu").output
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(layers.Concatenate()([x, skip]))
    x = layers.UpSampling2D()(x)
    return keras.Model(encoder.input, layers.Conv2D(1, 1, activation="sigmoid")(x))


def classifier(keras, classes=3, size=SIZE):
    """A network as tutorials build it: it scales its images itself."""
    layers = keras.layers
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            layers.Input((size, size, 1)),
            layers.Rescaling(1 / 255),
            layers.RandomFlip(),
            layers.Conv2D(4, 3, strides=2, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(classes, activation="softmax"),
        ]
    )


def randomized(model):
    """Give a model weights that a wrong order or a forgotten one would show."""
    rng = np.random.default_rng(3)
    model.set_weights([w + rng.uniform(0, 0.3, w.shape) for w in model.get_weights()])
    return model


def saved(model, folder: Path, kind: str) -> Path:
    """Save a model as ``keras``, ``h5``, ``SavedModel`` or ``export``."""
    if kind == "export":
        path = folder / "exported"
        model.export(str(path), **({} if "tf_keras" in type(model).__module__ else {"verbose": 0}))
        return path
    path = folder / ("saved" if kind == "SavedModel" else f"mine.{kind}")
    model.save(path)
    return path


def images(count=2, size=SIZE, channels=1):
    """Network inputs in [0, 1)."""
    return np.random.default_rng(0).random((count, size, size, channels), np.float32)
