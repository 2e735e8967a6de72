"""MLTK itself, where it is installed, and the figures published for the seed."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from tests import fixtures
from tests.profiling.mltk_files import refusal, single
from tinyseg.errors import InputError
from tinyseg.profiling import mltk
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.ops.registry import cost, total_cost


@pytest.fixture(scope="module")
def model():
    return TfliteModel.parse(fixtures.quantized(), "models/my model.tflite")


@pytest.fixture(scope="module")
def installed():
    try:
        return mltk.mltk_python()
    except InputError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def real_record(installed, model):
    return mltk.profile(model)


@pytest.mark.mltk
def test_mltk_counts_what_we_count(real_record, model):
    record, _ = real_record
    assert (record["macs"], record["ops"]) == dataclasses.astuple(total_cost(model))
    assert record["flash_bytes"] == len(model.content)
    assert record["unsupported_layers"] == 0
    assert record["mltk_version"] == "0.20.0"


@pytest.mark.mltk
def test_mltk_never_says_zero_where_it_does_not_know(real_record):
    record, _ = real_record
    assert record["cycles"] is None
    assert record["layers_without_estimate"] == len(record["layers"])
    for layer in record["layers"]:
        assert layer["estimate"] == "none"
        assert layer["cycles"] is layer["energy_j"] is layer["time_s"] is None
        assert min(layer["bound_cycles"].values()) > 0


@pytest.mark.mltk
def test_mltk_report_and_record_tell_the_same(real_record, model):
    """The path holds a space; the report is the text that 'mltk profile' prints."""
    record, report = real_record
    lines = dict(line.split(": ", 1) for line in report.splitlines() if ": " in line)
    assert lines["Name"] == record["name"] == "my model"
    assert float(lines["Layer Count"]) == len(model.operators)
    assert lines["Input Shape"] == record["input_shape"] == "1x32x32x3"
    assert record["input_type"] == record["output_type"] == "int8"
    names = {layer["layer"] for layer in record["layers"]}
    assert names <= {layer.name for layer in fixtures.network().layers}


@pytest.mark.mltk
def test_mltk_ram_is_near_the_arena_of_tflm(real_record, model):
    """MLTK's older TFLM plans the same activations; its bookkeeping differs by kilobytes."""
    largest = max(
        sum(t.elements for t in (*op.inputs, *op.outputs) if not t.constant)
        for op in model.operators
    )
    assert largest < real_record[0]["ram_bytes"] < 3 * largest


def all_kinds():
    """A network of many kinds of layers, with and without bias, padding and fused ReLU."""
    layers = keras.layers
    image = keras.Input((16, 16, 3), batch_size=1)
    x = layers.Conv2D(6, 3, strides=2, padding="same", activation="relu6")(image)
    x = layers.Conv2D(6, 3, padding="same", use_bias=False)(x)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, activation="relu")(x)
    x = layers.ZeroPadding2D(((2, 0), (1, 1)))(layers.Add()([x, x]))
    pooled = layers.ReLU()(layers.AveragePooling2D(2)(layers.Conv2D(12, 1)(x)))
    x = layers.Concatenate()([pooled, layers.ReLU()(layers.MaxPooling2D(2)(x))])
    x = layers.Conv2DTranspose(4, 3, 2, "same", bias_initializer="ones", activation="relu")(x)
    x = layers.Conv2DTranspose(4, 3, 3, "valid", bias_initializer="ones")(x)
    x = layers.Conv2DTranspose(4, 3, use_bias=False)(x)
    x = layers.UpSampling2D(2)(x)
    x = layers.Multiply()([x, layers.Conv2D(1, 1, activation="sigmoid")(x)])
    means = layers.GlobalAveragePooling2D()(layers.ReLU()(x))
    x = layers.Dense(5, activation="relu", bias_initializer="ones")(layers.Flatten()(x))
    x = layers.Add()([layers.Dense(4, use_bias=False)(x), means])
    x = layers.Softmax()(layers.Dense(4, bias_initializer="ones")(x))
    return keras.Model(image, x)


@pytest.mark.mltk
def test_mltk_counts_every_kind_of_layer_as_we_do(installed):
    images = np.random.default_rng(0).random((4, 16, 16, 3), np.float32)
    types = {"inference_input_type": tf.float32, "inference_output_type": tf.float32}
    model = TfliteModel.parse(fixtures.convert(all_kinds(), images, **types))
    kinds = {"QUANTIZE", "CONV_2D", "DEPTHWISE_CONV_2D", "PAD", "AVERAGE_POOL_2D", "MAX_POOL_2D",
             "CONCATENATION", "TRANSPOSE_CONV", "RESIZE_NEAREST_NEIGHBOR", "LOGISTIC", "MUL", "ADD",
             "RELU", "MEAN", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX", "DEQUANTIZE"}  # fmt: skip
    assert kinds <= set(model.opcodes)
    record, _ = mltk.profile(model)
    theirs = [(layer["opcode"], layer["macs"], layer["ops"]) for layer in record["layers"]]
    ours = [(op.opcode.lower(), cost(op).macs, cost(op).ops) for op in model.operators]
    assert theirs == ours


@pytest.mark.mltk
@pytest.mark.parametrize("length", [100, 5000, 30_000])
def test_mltk_refuses_a_truncated_file_in_one_line(installed, model, length):
    truncated = dataclasses.replace(model, content=model.content[:length])
    assert "MLTK cannot profile it" in refusal(truncated)


@pytest.mark.mltk
def test_mltk_refuses_an_operator_that_it_lacks(installed):
    assert "TILE" in refusal(single("TILE"))


@pytest.mark.mltk
def test_mltk_refuses_depthwise_convolutions_of_int16(installed):
    """Its TFLM is older than ours; the caller has to live without a profile of such files."""
    line = refusal(TfliteModel.parse(fixtures.quantized("static_wi8_ai16"), "wide.tflite"))
    assert "INT16" in line
    assert "DEPTHWISE_CONV_2D" in line


SUFFIXES = {"": 1, "k": 1e3, "M": 1e6, "G": 1e9}


def assert_printed(value, text):
    """The exact value must round to what the published report prints with one decimal."""
    number, unit = (text, "") if text[-1].isdigit() else (text[:-1], text[-1])
    assert abs(value / SUFFIXES[unit] - float(number)) <= 0.05 + 1e-9, (value, text)


def published_rows(path):
    """Layers of MLTK's text report: index, operator, operations, MACs."""
    lines = [line.split("|")[1:5] for line in path.read_text().splitlines() if line[:1] == "|"]
    rows = [[field.strip() for field in line] for line in lines]
    return [row for row in rows if row[0].isdigit()]


@pytest.fixture(scope="module")
def seed():
    return fixtures.seed_folder()


@pytest.mark.real_data
def test_our_counts_are_those_published_for_the_seed(seed):
    model = TfliteModel.read(seed / "ds_cnn_model_quant.tflite")
    rows = published_rows(seed / "ds_cnn_model_quant.tflite-profiling-results.txt")
    assert len(rows) == 112
    for (index, opcode, ops, macs), operator in zip(rows, model.operators, strict=True):
        assert (int(index), opcode) == (operator.index, operator.opcode.lower())
        assert_printed(cost(operator).ops, ops)
        assert_printed(cost(operator).macs, macs)


@pytest.mark.mltk
@pytest.mark.real_data
def test_profile_of_the_seed_is_the_published_one(installed, seed):
    record, _ = mltk.profile(TfliteModel.read(seed / "ds_cnn_model_quant.tflite"))
    assert len(record["layers"]) == 112
    assert record["macs"] == 2_874_605_568
    assert record["ops"] == 5_842_715_648
    assert record["ram_bytes"] == 13_722_148
    assert record["flash_bytes"] == 2_952_728
    assert record["unsupported_layers"] == 0
    rows = published_rows(seed / "ds_cnn_model_quant.tflite-profiling-results.txt")
    for (index, opcode, ops, macs), layer in zip(rows, record["layers"], strict=True):
        assert (int(index), opcode) == (layer["index"], layer["opcode"])
        assert_printed(layer["ops"], ops)
        assert_printed(layer["macs"], macs)
