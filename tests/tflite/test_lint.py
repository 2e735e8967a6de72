"""Findings: one file for each thing that can be wrong, made by editing or by the converter."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests import fixtures
from tests.fixtures import Draft, one_operator
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.lint import Finding, lint


@pytest.fixture(scope="module")
def content():
    return fixtures.quantized()


@pytest.fixture
def findings_after(content):
    """Lint the network's file after a function has changed its objects, checksum aside."""

    def findings_after(change):
        model = fixtures.unpack(content)
        # As in others' files, so that only the change itself can be found.
        model.metadata = []
        change(model)
        return lint(TfliteModel.parse(fixtures.pack(model)))

    return findings_after


def findings_of(content):
    return lint(TfliteModel.parse(content))


def only(findings, severity):
    """The single finding, of that severity, as the line that a user reads."""
    assert [finding.severity for finding in findings] == [severity]
    line = str(findings[0])
    assert "\n" not in line
    return line


def conv_network(**conv):
    image = keras.Input((8, 8, 3), batch_size=1)
    x = keras.layers.Conv2D(8, 3, activation="relu", **conv)(image)
    return keras.Model(image, keras.layers.Conv2D(1, 1)(x))


@pytest.mark.parametrize("recipe", ["static_wi8_ai8", "static_wi8_ai16"])
@pytest.mark.parametrize("io", ["integer", "float32"])
def test_sound_files_have_no_findings(recipe, io):
    assert findings_of(fixtures.quantized(recipe, io)) == []


def test_sound_file_without_a_plan_has_no_findings(findings_after):
    assert findings_after(lambda model: None) == []


def test_float_network():
    line = only(findings_of(fixtures.float_twin()), "error")
    assert "not quantized" in line
    assert "tinyseg quantize" in line


def test_float16_network():
    model = conv_network()
    content = fixtures.convert(
        model,
        optimizations=[tf.lite.Optimize.DEFAULT],
        target_spec=tf.lite.TargetSpec(supported_types=[tf.float16]),
    )
    assert "float16" in {tensor.dtype for tensor in TfliteModel.parse(content).tensors}
    assert any(finding.severity == "error" for finding in findings_of(content))


def test_dynamic_range_network():
    # The converter leaves weights of fewer than 1024 values in float.
    image = keras.Input((8, 8, 16), batch_size=1)
    model = keras.Model(image, keras.layers.Conv2D(16, 3)(image))
    content = fixtures.convert(model, optimizations=[tf.lite.Optimize.DEFAULT])
    errors = [str(finding) for finding in findings_of(content) if finding.severity == "error"]
    assert any("int8 weights with float32 activations" in line for line in errors)
    assert any("CONV_2D" in line and "full-integer" in line for line in errors)


@pytest.mark.parametrize("size", [-1, 0])
def test_dynamic_or_empty_shape(findings_after, size):
    def change(model):
        model.subgraphs[0].tensors[0].shape = [size, 32, 32, 3]

    line = only(findings_after(change), "error")
    assert line.startswith("tensor 0 'image'")
    assert f"({size}, 32, 32, 3)" in line
    assert "batch of 1" in line


@pytest.mark.parametrize(
    "shape",
    [[1, 65536, 65536, 3], [2**31 - 1] * 4, [2**31 - 1, 2]],
    ids=["12 GiB", "overflows 64 bits", "just above"],
)
def test_huge_dimensions(findings_after, shape):
    def change(model):
        model.subgraphs[0].tensors[0].shape = shape

    assert "implausible shape" in only(findings_after(change), "error")


@pytest.mark.parametrize("scale", [0.0, -0.5, float("nan"), float("inf")])
def test_bad_scale(findings_after, scale):
    def change(model):
        model.subgraphs[0].tensors[0].quantization.scale = [scale]

    line = only(findings_after(change), "error")
    assert "tensor 0 'image'" in line
    assert "scale" in line


def test_one_bad_scale_among_channels(findings_after):
    def change(model):
        graph = model.subgraphs[0]
        weights = graph.tensors[graph.operators[1].inputs[1]]
        weights.quantization.scale = [*weights.quantization.scale[:-1], 0.0]

    assert "scale is zero" in only(findings_after(change), "error")


@pytest.mark.parametrize("change", ["one scale less", "axis beyond the shape"])
def test_scales_that_do_not_fit_the_channels(findings_after, change):
    def edit(model):
        graph = model.subgraphs[0]
        quantization = graph.tensors[graph.operators[1].inputs[1]].quantization
        if change == "one scale less":
            quantization.scale = quantization.scale[:-1]
        else:
            quantization.quantizedDimension = 4

    assert "number of scales" in only(findings_after(edit), "error")


@pytest.mark.parametrize("option", ["strideH", "strideW", "dilationHFactor", "dilationWFactor"])
@pytest.mark.parametrize("value", [0, -1])
def test_steps_that_lead_nowhere(findings_after, option, value):
    def change(model):
        options = (operator.builtinOptions for operator in model.subgraphs[0].operators)
        setattr(next(found for found in options if hasattr(found, option)), option, value)

    errors = [finding for finding in findings_after(change) if finding.severity == "error"]
    assert errors
    assert all("damaged" in str(error) for error in errors)


def test_a_scale_without_a_zero_point(findings_after):
    def change(model):
        graph = model.subgraphs[0]
        graph.tensors[graph.outputs[0]].quantization.zeroPoint = []

    errors = [finding for finding in findings_after(change) if finding.severity == "error"]
    assert any("no zero point; damaged" in str(error) for error in errors)


@pytest.mark.parametrize("change", [-1, 1])
def test_wrong_buffer_length(findings_after, change):
    def edit(model):
        graph = model.subgraphs[0]
        buffer = model.buffers[graph.tensors[graph.operators[1].inputs[1]].buffer]
        buffer.data = np.resize(buffer.data, len(buffer.data) + change)

    # A pointwise convolution from 3 to 4 channels.
    line = only(findings_after(edit), "error")
    assert f"holds {12 + change} bytes, its shape needs 12" in line


def test_weights_gone(findings_after):
    def change(model):
        graph = model.subgraphs[0]
        model.buffers[graph.tensors[graph.operators[1].inputs[1]].buffer].data = None

    line = only(findings_after(change), "error")
    assert line.startswith("operator 1 CONV_2D (layer 'encoder1_conv1')")
    assert "before it is computed" in line


def test_operators_out_of_order(findings_after):
    def change(model):
        model.subgraphs[0].operators.reverse()

    findings = findings_after(change)
    assert {finding.severity for finding in findings} == {"error"}
    assert "operator 0 LOGISTIC (layer 'mask')" in str(findings[0])
    assert "before it is computed" in str(findings[0])


def test_what_vela_made_is_named():
    draft = fixtures.Draft((1, 4, 4, 1))
    content = fixtures.one_operator("CUSTOM", [draft] * 2, draft, custom="ethos-u")
    (finding,) = lint(TfliteModel.parse(content))
    assert str(finding).startswith("model: compiled by Vela")


def test_several_subgraphs(findings_after):
    line = only(findings_after(lambda model: model.subgraphs.append(model.subgraphs[0])), "error")
    assert "2 subgraphs" in line


@pytest.mark.parametrize("part", ["operators", "inputs", "outputs"])
def test_graph_without_parts(findings_after, part):
    findings = findings_after(lambda model: setattr(model.subgraphs[0], part, []))
    assert any("no operators, inputs or outputs" in str(finding) for finding in findings)
    assert findings[0].severity == "error"


def test_unknown_element_type(findings_after):
    def change(model):
        model.subgraphs[0].tensors[0].type = 99

    assert "unknown element type_99" in only(findings_after(change), "error")


def test_checksum(content):
    model = fixtures.unpack(content)
    model.subgraphs[0].tensors[0].quantization.scale = [0.5]
    assert "checksum" in only(findings_of(fixtures.pack(model)), "error")


def test_unsupported_operator_from_the_converter():
    """Nearest upsampling as Keras 3 writes it ends in TILE, which TFLM lacks."""
    image = keras.Input((8, 8, 4), batch_size=1)
    x = keras.layers.Conv2D(4, 3, padding="same")(image)
    x = keras.layers.Lambda(lambda t: tf.tile(t, [1, 2, 2, 1]), name="upsample")(x)
    calibration = np.random.default_rng(0).random((2, 8, 8, 4), np.float32)
    content = fixtures.convert(keras.Model(image, x), calibration)
    assert "TILE" in TfliteModel.parse(content).opcodes
    line = only(findings_of(content), "unsupported")
    assert "TILE" in line
    assert "no kernel" in line


@pytest.mark.parametrize(
    ("opcode", "custom", "dtype", "name"),
    [
        ("TILE", "", "int8", "TILE"),
        ("GELU", "", "int8", "GELU"),
        ("CUSTOM", "FlexErf", "int8", "FlexErf"),
        ("RESIZE_BILINEAR", "", "int16", "RESIZE_BILINEAR"),
        ("EXP", "", "int8", "EXP"),
        ("LOG", "", "int8", "LOG"),
    ],
)
def test_unsupported_operators(opcode, custom, dtype, name):
    draft = Draft([1, 4, 4, 1], dtype)
    line = only(findings_of(one_operator(opcode, [draft], draft, custom=custom)), "unsupported")
    assert line.startswith(f"operator 0 {name} ")


def test_a_missing_type_is_named():
    draft = Draft([1, 4, 4, 1])
    line = only(findings_of(one_operator("EXP", [draft], draft)), "unsupported")
    assert "has no int8 kernel" in line


def test_unknown_builtin(findings_after):
    def change(model):
        model.operatorCodes[0].builtinCode = 5000

    findings = findings_after(change)
    assert {finding.severity for finding in findings} == {"unsupported"}
    assert "BUILTIN_5000" in str(findings[0])
    assert "encoder1_conv1" in str(findings[0])


def test_errors_come_first(findings_after):
    def change(model):
        model.operatorCodes[0].builtinCode = 5000
        model.subgraphs[0].tensors[0].quantization.scale = [0.0]

    severities = [finding.severity for finding in findings_after(change)]
    assert severities == ["error", *["unsupported"] * (len(severities) - 1)]
    assert len(severities) > 1


@pytest.mark.parametrize(("scale", "wrong"), [(0.5, False), (0.25, True)])
def test_standalone_relu6_that_rescales(scale, wrong):
    content = one_operator("RELU6", [Draft([1, 4])], Draft([1, 4], scale=scale))
    if wrong:
        assert "RELU6 that rescales" in only(findings_of(content), "error")
    else:
        assert findings_of(content) == []


def transposed(kernel, stride, channels, padding):
    """A network of one transposed convolution, quantized."""
    image = keras.Input((8, 8, channels), batch_size=1)
    layer = keras.layers.Conv2DTranspose(
        4, kernel, stride, padding, bias_initializer="ones", name="upsample"
    )
    calibration = np.random.default_rng(0).random((2, 8, 8, channels), np.float32)
    return fixtures.convert(keras.Model(image, layer(image)), calibration)


@pytest.mark.parametrize("channels", [3, 16])
def test_cmsis_nn_warning(channels):
    line = only(findings_of(transposed(4, 2, channels, "same")), "warning")
    assert "TRANSPOSE_CONV" in line
    assert "CMSIS-NN #233" in line


@pytest.mark.parametrize(
    ("kernel", "stride", "channels", "padding"),
    [
        (4, 2, 17, "same"),
        (4, 1, 8, "same"),
        (3, 2, 8, "same"),
        (2, 2, 8, "same"),
        (4, 2, 8, "valid"),
    ],
)
def test_no_cmsis_nn_warning_for_other_kernels(kernel, stride, channels, padding):
    assert findings_of(transposed(kernel, stride, channels, padding)) == []


def test_finding_reads_as_one_line():
    finding = Finding("error", "tensor 3 'x'", "scale is zero")
    assert str(finding) == "tensor 3 'x': scale is zero"


def test_int4_weights_are_accepted():
    """Two values share a byte, so the buffer is half as long as the shape."""
    options = schema.FullyConnectedOptionsT()
    weights = Draft([2, 8], "int4", np.zeros(8, np.int8))
    content = one_operator("FULLY_CONNECTED", [Draft([1, 8]), weights], Draft([1, 2]), options)
    assert findings_of(content) == []
