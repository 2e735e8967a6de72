"""Integers at the border: what QUANTIZE and DEQUANTIZE gave, the caller gives and takes."""

import numpy as np
import pytest

from tests import fixtures
from tests.tflite.drafts import File, conv, on_reference, on_tflm, options
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.graph import Graph
from tinyseg.tflite.lowering.integer_border import make_border_integer

INPUT, OUTPUT = (0.02, -7), (0.1, -3)


def bordered(readers=1, returned=False, inner=False):
    """A convolution between floats.

    Args:
        readers: conversions of the input.
        returned: whether the integers before the last conversion are an output too.
        inner: whether something in the graph reads the float result.
    """
    file = File()
    source = file.tensor((1, 6, 5, 3), "float32", name="picture")
    made = []
    for number in range(readers):
        stored = file.tensor((1, 6, 5, 3), scale=INPUT[0], zero_point=INPUT[1])
        file.operator("QUANTIZE", [source], stored)
        made.append(conv(file, stored, 2, (3, 3), seed=number))
        settings = file.graph.operators[-1].builtinOptions
        settings.padding = fixtures.schema.Padding.SAME
    outputs = []
    for stored in made:
        result = file.tensor((1, 6, 5, 2), "float32", name=f"mask_{stored}")
        outputs.append(file.operator("DEQUANTIZE", [stored], result))
    if inner:
        again = file.tensor((1, 6, 5, 2), scale=0.1)
        outputs.append(file.operator("QUANTIZE", outputs[:1], again))
    return file.content([source], [*outputs, *made[: int(returned)]])


def edited(content):
    graph = Graph(content)
    changed = make_border_integer(graph)
    return graph.to_bytes(), changed


def to_stored(values):
    """As TensorFlow Lite's QUANTIZE: half away from zero."""
    scaled = values / np.float32(INPUT[0])
    rounded = np.trunc(scaled + np.copysign(np.float32(0.5), scaled)) + INPUT[1]
    return np.clip(rounded, -128, 127).astype(np.int8)


def to_real(stored):
    return np.float32(OUTPUT[0]) * (stored.astype(np.float32) - OUTPUT[1])


@pytest.mark.parametrize("run", [on_tflm, on_reference], ids=["tflm", "reference"])
@pytest.mark.parametrize("returned", [False, True], ids=["alone", "with_integers"])
def test_same_numbers(run, returned):
    content = bordered(returned=returned)
    made, changed = edited(content)
    assert len(changed) == 2
    assert TfliteModel.parse(made).opcodes == ["CONV_2D"]
    pictures = np.random.default_rng(0).uniform(-2, 2, (1, 6, 5, 3)).astype(np.float32)
    expected, found = run(content, [pictures]), run(made, [to_stored(pictures)])
    np.testing.assert_array_equal(to_real(found[0]), expected[0])
    assert found[0].std() > 0
    np.testing.assert_array_equal(found[-1], expected[-1] if returned else found[0])


def test_border_keeps_its_names():
    model = TfliteModel.parse(edited(bordered())[0])
    assert [tensor.name for tensor in model.inputs] == ["picture"]
    assert [tensor.name.split("_")[0] for tensor in model.outputs] == ["mask"]
    assert {tensor.dtype for tensor in (*model.inputs, *model.outputs)} == {"int8"}


def test_signature_names_the_new_border():
    content = fixtures.quantized(io="float32")
    made = edited(content)[0]
    model, file = TfliteModel.parse(made), fixtures.unpack(made)
    (signature,) = file.signatureDefs
    assert [entry.tensorIndex for entry in signature.inputs] == [model.inputs[0].index]
    assert [entry.tensorIndex for entry in signature.outputs] == [model.outputs[0].index]
    (before,) = fixtures.unpack(content).signatureDefs
    assert [e.name for e in signature.inputs] == [e.name for e in before.inputs]
    runner = fixtures.interpreter(made).get_signature_runner()
    picture = np.zeros(model.inputs[0].shape, np.int8)
    (result,) = runner(**{signature.inputs[0].name.decode(): picture}).values()
    assert result.dtype == np.int8


def test_input_with_two_conversions_stays():
    content = bordered(readers=2)
    model = TfliteModel.parse(edited(content)[0])
    assert model.inputs[0].dtype == "float32"
    assert {tensor.dtype for tensor in model.outputs} == {"int8"}


def test_input_that_nothing_reads_stays():
    file = File()
    unread, source = (file.tensor((1, 4, 3, 2), "float32", name=n) for n in ("unread", "picture"))
    stored, target = file.tensor((1, 4, 3, 2)), file.tensor((1, 4, 3, 2), scale=0.1)
    file.operator("QUANTIZE", [source], stored)
    file.operator("ADD", [stored, stored], target, options("Add"))
    made, changed = edited(file.content([unread, source], [target]))
    assert changed == ["picture"]
    inputs = TfliteModel.parse(made).inputs
    assert [(t.name, t.dtype) for t in inputs] == [("unread", "float32"), ("picture", "int8")]


def test_result_that_is_read_inside_stays():
    model = TfliteModel.parse(edited(bordered(inner=True))[0])
    assert [tensor.dtype for tensor in model.outputs] == ["float32", "int8"]


@pytest.mark.parametrize("run", [on_tflm, on_reference], ids=["tflm", "reference"])
def test_every_input_and_every_output(run):
    """Two of each, one of integers among them, each with a scale of its own."""
    file = File()
    schemes = [{"scale": 0.02, "zero_point": -7}, {"scale": 0.05, "zero_point": 11}]
    sources = [file.tensor((1, 4, 3, 2), "float32", name=f"source_{n}") for n in range(2)]
    stored = [file.tensor((1, 4, 3, 2), **scheme) for scheme in schemes]
    for source, target in zip(sources, stored, strict=True):
        file.operator("QUANTIZE", [source], target)
    other = file.tensor((1, 4, 3, 2), scale=0.03, zero_point=2, name="other")
    total, product = (
        file.tensor((1, 4, 3, 2), scale=s, zero_point=z) for s, z in ((0.1, 3), (0.2, -9))
    )
    file.operator("ADD", [stored[0], other], total, options("Add"))
    file.operator("MUL", [stored[1], other], product, options("Mul"))
    results = [file.tensor((1, 4, 3, 2), "float32", name=f"result_{n}") for n in range(2)]
    file.operator("DEQUANTIZE", [total], results[0])
    file.operator("DEQUANTIZE", [product], results[1])
    content = file.content([sources[0], other, sources[1]], results)
    made, changed = edited(content)
    model = TfliteModel.parse(made)
    assert changed == ["source_0", "source_1", "result_0", "result_1"]
    assert [tensor.name for tensor in model.inputs] == ["source_0", "other", "source_1"]
    assert [tensor.name for tensor in model.outputs] == ["result_0", "result_1"]
    assert model.opcodes == ["ADD", "MUL"]
    random = np.random.default_rng(0)
    integers = random.integers(-128, 128, (3, 1, 4, 3, 2)).astype(np.int8)
    reals = [
        np.float32(scheme["scale"]) * (values.astype(np.float32) - scheme["zero_point"])
        for scheme, values in zip(schemes, (integers[0], integers[2]), strict=True)
    ]
    expected = run(content, [reals[0], integers[1], reals[1]])
    for one, stored, (scale, zero) in zip(
        expected, run(made, list(integers)), ((0.1, 3), (0.2, -9)), strict=True
    ):
        np.testing.assert_array_equal(np.float32(scale) * (stored.astype(np.float32) - zero), one)


def test_conversions_to_other_than_float_stay():
    """Scales that change from integers to integers at the border are the network's own."""
    file = File()
    source, inner = file.tensor((1, 4, 3, 2)), file.tensor((1, 4, 3, 2), scale=0.1, zero_point=9)
    target = file.tensor((1, 4, 3, 2), scale=0.01)
    file.operator("QUANTIZE", [source], inner)
    file.operator("QUANTIZE", [inner], target)
    content = file.content([source], [target])
    made, changed = edited(content)
    assert not changed
    assert TfliteModel.parse(made).checksum() == TfliteModel.parse(content).checksum()


def test_integers_stay():
    content = fixtures.quantized()
    made, changed = edited(content)
    assert not changed
    assert TfliteModel.parse(made).checksum() == TfliteModel.parse(content).checksum()


def test_float_networks_stay():
    file = File()
    source, target = (file.tensor((1, 4, 4, 2), "float32") for _ in range(2))
    file.operator("MUL", [source, source], target, options("Mul"))
    made, changed = edited(file.content([source], [target]))
    assert not changed
    assert TfliteModel.parse(made).inputs[0].dtype == "float32"


def uint8_border(zero_point):
    file = File()
    source = file.tensor((1, 4, 3, 2), "uint8", scale=[0.1], zero_point=zero_point)
    inner, made = (file.tensor((1, 4, 3, 2), scale=0.1, zero_point=9) for _ in range(2))
    target = file.tensor((1, 4, 3, 2), "uint8", scale=[0.1], zero_point=zero_point)
    file.operator("QUANTIZE", [source], inner)
    file.operator("RELU", [inner], made)
    file.operator("QUANTIZE", [made], target)
    return file.content([source], [target])


def test_uint8_becomes_int8_of_the_same_values():
    content = uint8_border(137)
    made, changed = edited(content)
    model = TfliteModel.parse(made)
    assert len(changed) == 2
    assert model.opcodes == ["RELU"]
    assert [tensor.dtype for tensor in (*model.inputs, *model.outputs)] == ["int8", "int8"]
    stored = np.random.default_rng(0).integers(0, 256, (1, 4, 3, 2), np.uint8)
    shifted = (stored.astype(np.int16) - 128).astype(np.int8)
    for run in (on_tflm, on_reference):
        (before,), (after,) = run(content, [stored]), run(made, [shifted])
        np.testing.assert_array_equal(before.astype(np.int16) - 128, after)


def test_uint8_of_other_values_stays():
    made, changed = edited(uint8_border(120))
    assert not changed
    assert TfliteModel.parse(made).inputs[0].dtype == "uint8"
