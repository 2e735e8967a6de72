"""Post-training full-integer quantization: a Keras network and real images in, ``.tflite`` out."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
import tf_keras as keras
from tensorflow.lite.python.convert_phase import ConverterError

from tinyseg.compression import recipe as recipes
from tinyseg.compression.calibration import Converter
from tinyseg.compression.emission import round_once, round_twice, to_standard_layers
from tinyseg.errors import InputError
from tinyseg.plan import Plan
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.annotate import annotate
from tinyseg.tflite.lint import operator_name
from tinyseg.tflite.lookup import replace_by_tables

INPUT, OUTPUT = "image", "mask"


def convert_post_training(model: keras.Model, plan: Plan, calibration: np.ndarray) -> bytes:
    """Quantize weights and activations to integers (Jacob et al., 2018, arXiv:1712.05877).

    Args:
        model: trained network with one input and one output.
        plan: recipe and type of input and output; its preprocessing goes into the file.
        calibration: the representative dataset, network inputs float32
            ``(images, height, width, channels)`` from the training split.

    Returns:
        Bytes of a ``.tflite`` file with a batch of 1.

    Raises:
        InputError: no calibration images, unknown recipe, or a layer that has no integer form.
    """
    if len(calibration) == 0:
        raise InputError(
            "quantization needs calibration images: give --data with a non-empty training split"
        )
    recipe = recipes.parse(plan.quantization.recipe)
    converter = _converter(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = tf.lite.RepresentativeDataset(
        lambda: ([image[None]] for image in calibration)
    )
    wide = recipe.activation_bits == 16
    converter.target_spec.supported_ops = [
        tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        if wide
        else tf.lite.OpsSet.TFLITE_BUILTINS_INT8
    ]
    _set_border(converter, plan, tf.int16 if wide else tf.int8)
    content = _convert(converter, model.name)
    _refuse_floats(content, model.name)
    return _finish(content, plan)


def _refuse_floats(content: bytes, name: str) -> None:
    """Raise an InputError if the converter left an operator in float32, for want of another form.

    It does so between a DEQUANTIZE and a QUANTIZE, and says nothing.
    """
    for operator in TfliteModel.parse(content, name).operators:
        tensors = [t for t in (*operator.inputs, *operator.outputs) if t is not None]
        computes = operator.opcode not in ("QUANTIZE", "DEQUANTIZE")
        if computes and any(t.dtype == "float32" and not t.constant for t in tensors):
            raise InputError(
                f"{name}: {operator_name(operator)} has no integer form and would stay in "
                "float32; replace the layer"
            )


def convert_quantization_aware(model: keras.Model, plan: Plan) -> bytes:
    """Convert a network of :func:`tinyseg.compression.quantization_aware.quantization_aware`.

    Its fake quantization already holds every scale; no calibration images are needed. The
    network itself then rounds as the file does, and is not to be trained any more.

    Returns:
        Bytes of an int8 ``.tflite`` file with a batch of 1.
    """
    round_once(model)
    emission = to_standard_layers(model)
    converter = _converter(emission.model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    _set_border(converter, plan, tf.int8)
    content = _convert(converter, model.name)
    round_twice(model, emission)
    if emission.signs:
        content = replace_by_tables(content, emission.signs)
    return _finish(content, plan)


def _set_border(converter: tf.lite.TFLiteConverter, plan: Plan, integer: tf.DType) -> None:
    kind = {"integer": integer, "float32": tf.float32}
    if plan.quantization.io not in kind:
        raise InputError(f"quantization.io: '{plan.quantization.io}' is not integer or float32")
    converter.inference_input_type = kind[plan.quantization.io]
    converter.inference_output_type = kind[plan.quantization.io]


def convert_float(model: keras.Model, plan: Plan) -> bytes:
    """Convert a network to a float32 ``.tflite`` with the same graph as the quantized one."""
    return _finish(_convert(_converter(model), model.name), plan)


def calibration_rows(labels: list[str], count: int, seed: int) -> list[int]:
    """Choose images for calibration so that every label is there.

    Args:
        labels: label of each training image.
        count: how many to choose; all if there are fewer.
        seed: of the choice.

    Returns:
        Sorted row numbers; labels are represented as evenly as their sizes allow.

    Raises:
        InputError: ``count`` is below the number of labels, so that one would be missing.
    """
    kinds = sorted(set(labels))
    if count < len(kinds):
        raise InputError(
            f"quantization.calibration_images: {count} images cannot show all of "
            f"{', '.join(kinds)}; raise it to {len(kinds)} or more"
        )
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(labels))
    # The k-th image of each label, for k = 0, 1, ...: the first `count` of them are balanced.
    rank: dict[str, int] = dict.fromkeys(kinds, 0)
    ranked = []
    for row in order:
        ranked.append((rank[labels[row]], int(row)))
        rank[labels[row]] += 1
    ranked.sort(key=lambda pair: pair[0])
    return sorted(row for _, row in ranked[:count])


def _converter(model: keras.Model) -> Converter:
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise InputError(f"{model.name}: only networks with one input and one output convert")

    # A fixed batch keeps SHAPE, STRIDED_SLICE and PACK out of the graph. Converting the
    # function alone gives the same file as converting the model, forty times faster.
    @tf.function(input_signature=[tf.TensorSpec((1, *model.input_shape[1:]), tf.float32, INPUT)])
    def infer(image: tf.Tensor) -> tf.Tensor:
        return model(image, training=False)

    with _quiet():
        return Converter.from_concrete_functions([infer.get_concrete_function()])


def _convert(converter: tf.lite.TFLiteConverter, name: str) -> bytes:
    try:
        with _quiet():
            return converter.convert()
    # The converter raises one class for an unsupported layer and ValueError for the rest.
    except (ConverterError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"{name}: cannot be converted to integers ({reason})") from None


def _finish(content: bytes, plan: Plan) -> bytes:
    processing = {
        "preprocessing": plan.preprocessing.for_file(),
        "model": plan.model.name,
        "recipe": plan.quantization.recipe,
    }
    if plan.data.whites:
        processing["whites"] = dict(plan.data.whites)
    return annotate(content, processing, f"tinyseg {plan.model.name}", INPUT, OUTPUT)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence notes that the converter prints about its own deprecated parts."""
    from absl import logging as absl_logging

    verbosity = absl_logging.get_verbosity()
    absl_logging.set_verbosity(absl_logging.FATAL)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        absl_logging.set_verbosity(verbosity)
