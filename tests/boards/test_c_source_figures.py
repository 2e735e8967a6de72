"""Every figure of an exported network in its place: no two of them alike."""

import hashlib
import re

import numpy as np
import pytest
from PIL import Image

import tinyseg
from tests import fixtures
from tests.fixtures import Draft, one_operator
from tinyseg.boards.c_source import MARGIN, ArenaSize, export
from tinyseg.data.images import pixels_of
from tinyseg.errors import InputError
from tinyseg.plan import PreprocessingPlan
from tinyseg.runtime.meaning import Head, MapLayout, Meaning
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.annotate import annotate

ARENA = ArenaSize(measured=10_007, size=12_352, source="10,007 measured by hand")
CODES = {"int8": 1, "int16": 2, "float32": 3}
CTYPES = {"int8": "int8_t", "int16": "int16_t", "float32": "float"}


def model_of(*content):
    return TfliteModel.parse(one_operator(*content), "one.tflite")


def exported(folder, model, preprocessing=None, name="one"):
    """The files' texts by name."""
    export(model, preprocessing or PreprocessingPlan(), ARENA, folder, name)
    return {path.name: path.read_text() for path in folder.iterdir()}


def constant(text, name):
    return re.search(rf" {re.escape(name)} = ([^;]+);", text)[1]


def numbers(text, name):
    return [int(value) for value in re.findall(r"-?\b\d+\b", constant(text, name))]


@pytest.mark.parametrize("source", CODES)
@pytest.mark.parametrize("target", CODES)
def test_input_and_output_have_figures_of_their_own(tmp_path, source, target):
    zeros = {"int8": 5, "int16": 0, "float32": 0}
    model = model_of(
        "CAST",
        [Draft((1, 3, 5, 2), source, scale=0.0123, zero_point=zeros[source])],
        Draft((1, 7, 1, 11), target, scale=0.0456, zero_point=-zeros[target]),
    )
    text = exported(tmp_path, model)["model_data.h"]
    shape = {side: constant(text, f"kModelInput{side}") for side in ("Height", "Width", "Channels")}
    assert shape == {"Height": "3", "Width": "5", "Channels": "2"}
    assert constant(text, "kModelInputElements") == "30"
    assert constant(text, "kModelOutputElements") == "77"
    for end, dtype, scale, zero in (
        ("Input", source, 0.0123, zeros[source]), ("Output", target, 0.0456, -zeros[target]),
    ):  # fmt: skip
        assert constant(text, f"kModel{end}Type") == str(CODES[dtype])
        told = constant(text, f"kModel{end}Scale")
        assert told.endswith("f")
        assert np.float32(told[:-1]) == np.float32(scale)
        assert constant(text, f"kModel{end}ZeroPoint") == str(zero)
    assert f"constexpr {CTYPES[source]} kModelInputTable[256] = " in text
    assert f"constexpr {CTYPES[target]} kModelMaskThreshold = " in text


@pytest.mark.parametrize("scale", [1 / 3, 1e-7, 123456.789, 1.0, 2.0**-20])
def test_scale_is_a_float_of_cpp_that_reads_back(tmp_path, scale):
    text = exported(tmp_path, model_of("RELU", [Draft((1, 2, 2, 1), scale=scale)], Draft((1, 4))))
    told = constant(text["model_data.h"], "kModelInputScale")
    # A float without point or exponent would be no literal: 1f.
    assert re.fullmatch(r"\d\.\d*e[+-]\d+f", told)
    assert np.float32(told[:-1]) == np.float32(scale)


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.123456789, -2.0])
def test_threshold_of_float_outputs_is_itself_in_float32(tmp_path, threshold):
    model = model_of("RELU", [Draft((1, 2, 2, 1), "float32")], Draft((1, 4), "float32"))
    text = exported(tmp_path, model, PreprocessingPlan(threshold=threshold))["model_data.h"]
    assert float(constant(text, "kModelMaskThreshold")) == float(np.float32(threshold))
    assert f"sigmoid > {threshold}." in text


def test_table_of_float_inputs_follows_the_preprocessing(tmp_path):
    model = model_of("RELU", [Draft((1, 2, 2, 1), "float32")], Draft((1, 4), "float32"))
    preprocessing = PreprocessingPlan(scale=1 / 127.5, offset=-1.0)
    text = exported(tmp_path, model, preprocessing)["model_data.h"]
    values = constant(text, "kModelInputTable[256]").strip("{} \n").split(",")
    pixels = np.arange(256, dtype=np.float32)
    expected = pixels * np.float32(1 / 127.5) + np.float32(-1)
    assert np.array(list(map(float, values)), np.float32).tobytes() == expected.tobytes()
    assert f"pixel * {1 / 127.5} + -1.0, quantized" in text


def test_files_tell_where_they_are_from(tmp_path):
    model = model_of("RELU", [Draft((1, 3, 5, 2))], Draft((1, 4)))
    texts = exported(tmp_path, model, name="my net")
    for text in texts.values():
        assert f"my_net, exported by tinyseg {tinyseg.__version__}. Do not edit." in text
    digest = hashlib.sha256(model.content)
    header = texts["model_data.h"]
    for name in ("model_data.h", "model_data.cc"):
        assert f"// SHA-256 {digest.hexdigest()}\n" in texts[name]
    assert "// Bytes of tensor arena: 10,007 measured by hand.\n" in header
    assert constant(header, "kModelArenaMeasured") == "10007"
    assert constant(header, "kModelArenaSize") == "12352"
    assert "// Input (1, 3, 5, 2) int8, output (1, 4) int8;" in header
    # Sixteen numbers a line, so that two versions can be compared.
    rows = texts["model_data.cc"].partition("{\n")[2].partition("\n}")[0].splitlines()
    assert [row.count("0x") for row in rows[:-1]] == [16] * (len(rows) - 1)
    assert rows[-1].count("0x") == (len(model.content) - 1) % 16 + 1
    table = header.partition("kModelInputTable[256] = {\n")[2].partition("\n}")[0]
    assert table.count("\n") == 15


@pytest.mark.parametrize(("length", "told"), [(63, 63), (64, 64), (65, 64)])
def test_long_names_are_cut(tmp_path, length, told):
    model = model_of("RELU", [Draft((1, 2, 2, 1))], Draft((1, 4)))
    name = "ab" * 40
    text = exported(tmp_path, model, name=name[:length])["model_data.h"]
    assert constant(text, "kModelName[]") == f'"{name[:told]}"'


def test_type_that_the_firmware_lacks_is_told_with_those_it_has(tmp_path):
    for source, target in (("uint8", "int8"), ("int8", "uint8")):
        model = model_of("CAST", [Draft((1, 2, 2, 1), source)], Draft((1, 4), target))
        with pytest.raises(InputError) as caught:
            export(model, PreprocessingPlan(), ARENA, tmp_path, "one")
        assert str(caught.value) == (
            "one.tflite: input or output of type uint8; the firmware takes int8, int16, float32, "
            "int32; 'tinyseg lower' turns uint8 into int8"
        )


def test_truths_have_a_cure_of_their_own(tmp_path):
    model = model_of("CAST", [Draft((1, 2, 2, 1))], Draft((1, 4), "bool"))
    with pytest.raises(InputError, match=r"type bool; .* end the network before the operator"):
        export(model, PreprocessingPlan(), ARENA, tmp_path, "one")


def test_numbers_of_classes_above_the_first_are_foreground(tmp_path):
    target = Draft((1, 2, 2), "int32", scale=None)
    model = model_of("CAST", [Draft((1, 2, 2, 1))], target)
    meaning = Meaning(Head.LABELS, MapLayout(2, 2, 1), classes=3)
    export(model, PreprocessingPlan(), ARENA, tmp_path, "one", meaning)
    text = (tmp_path / "model_data.h").read_text()
    assert constant(text, "kModelOutputType") == "4"
    assert "constexpr int32_t kModelMaskThreshold = 0;" in text


@pytest.mark.parametrize("first", [False, True])
def test_channels_have_a_table_each_where_each_has_a_scale(tmp_path, first):
    shape = (1, 3, 4, 5) if first else (1, 4, 5, 3)
    model = model_of("RELU", [Draft(shape, scale=0.02, zero_point=-14)], Draft((1, 4)))
    scales, offsets = (1 / 58.395, 1 / 57.12, 1 / 57.375), (-2.118, -2.036, -1.804)
    text = exported(tmp_path, model, PreprocessingPlan(scale=scales, offset=offsets))
    text = text["model_data.h"]
    for name, side in (("Height", "4"), ("Width", "5"), ("Channels", "3")):
        assert constant(text, f"kModelInput{name}") == side
    assert constant(text, "kModelInputChannelsFirst") == str(first).lower()
    assert constant(text, "kModelInputTables") == "3"
    table = np.array(numbers(text, "kModelInputTable[768]")).reshape(3, 256)
    real = np.arange(256) * np.array(scales)[:, None] + np.array(offsets)[:, None]
    expected = np.clip(np.round(real / 0.02) - 14, -128, 127)
    np.testing.assert_allclose(table, expected, atol=1)
    assert np.mean(table == expected) > 0.99


@pytest.mark.parametrize(
    ("shape", "first"), [((1, 3, 4, 5), True), ((1, 4, 5, 3), False), ((1, 1, 4, 5), False)]
)
def test_one_scale_is_one_table_in_any_order_of_channels(tmp_path, shape, first):
    text = exported(tmp_path, model_of("RELU", [Draft(shape)], Draft((1, 4))))["model_data.h"]
    assert constant(text, "kModelInputTables") == "1"
    assert len(numbers(text, "kModelInputTable[256]")) == 256
    assert constant(text, "kModelInputChannelsFirst") == str(first).lower()


def test_output_may_be_a_single_score(tmp_path):
    text = exported(tmp_path, model_of("MEAN", [Draft((1, 3, 5, 2))], Draft((1, 1))))
    assert constant(text["model_data.h"], "kModelOutputElements") == "1"


def chain(*steps):
    """A file whose operators follow each other: name, type, and whether it is a custom one."""
    made, previous = None, "int8"
    for opcode, dtype, custom in steps:
        drafts = [Draft((1, 4, 4, 2), previous)], Draft((1, 4, 4, 2), dtype)
        content = one_operator("CUSTOM" if custom else opcode, *drafts, custom=opcode)
        step, previous = fixtures.unpack(content), dtype
        if made is None:
            made = step
            continue
        graph, added = made.subgraphs[0], step.subgraphs[0]
        (operator,), tensor = added.operators, added.tensors[1]
        operator.opcodeIndex = len(made.operatorCodes)
        operator.inputs, operator.outputs = [len(graph.tensors) - 1], [len(graph.tensors)]
        tensor.name = f"tensor_{len(graph.tensors)}"
        made.operatorCodes.extend(step.operatorCodes)
        graph.tensors.append(tensor)
        graph.operators.append(operator)
        graph.outputs = operator.outputs
    return TfliteModel.parse(fixtures.pack(made), "chain.tflite")


def registered(text):
    return re.findall(r"resolver->(\w+)\(", text)


def test_operators_are_registered_in_the_order_of_their_names(tmp_path):
    steps = [(name, "int8", False) for name in ("TANH", "ABS", "RELU", "ABS", "LOGISTIC")]
    texts = exported(tmp_path, chain(*steps))
    assert registered(texts["model_ops.h"]) == ["AddAbs", "AddLogistic", "AddRelu", "AddTanh"]
    assert "MicroMutableOpResolver<4>" in texts["model_ops.h"]
    assert constant(texts["model_data.h"], "kModelOperatorCount") == "5"


OURS = ("TINYSEG_BINARY_CONV_2D", "int8", True)
PLAIN = ("ABS", "int8", False)
DECODE = ("TFLM_DECODE", "int8", True)


@pytest.mark.parametrize(
    ("steps", "included"),
    [
        ([PLAIN], False), ([PLAIN, PLAIN], False), ([DECODE, PLAIN], False),
        ([OURS, PLAIN], True), ([PLAIN, OURS], True), ([DECODE, OURS], True),
    ],
)  # fmt: skip
def test_our_kernels_are_included_where_they_are_used(tmp_path, steps, included):
    text = exported(tmp_path, chain(*steps))["model_ops.h"]
    assert ('#include "ops/binary_conv_tflm.h"' in text) == included


def test_kernels_for_int8_alone_need_that_all_uses_are_int8(tmp_path):
    for order in ((0, 1), (1, 0)):
        uses = [("SOFTMAX", "int8", False), ("SOFTMAX", "int16", False)]
        mixed = chain(*[uses[i] for i in order])
        text = exported(tmp_path / str(order), mixed)["model_ops.h"]
        assert "resolver->AddSoftmax() != " in text
    text = exported(tmp_path / "both", chain(uses[0], uses[0]))["model_ops.h"]
    assert "AddSoftmax(tflite::Register_SOFTMAX_INT8()) != " in text


def rounded_up(size):
    return size + -size % 16


@pytest.mark.parametrize(
    ("opcode", "weights", "scratch"),
    [
        # Two columns of int16 of one filter: 2 * 2 * height * width * channels; and for each
        # filter, the first dimension, 8 bytes of sums.
        ("CONV_2D", (6, 3, 5, 7), 2 * 2 * 3 * 5 * 7 + 8 * 6),
        ("TRANSPOSE_CONV", (6, 3, 5, 7), 2 * 2 * 3 * 5 * 7 + 8 * 6),
        ("DEPTHWISE_CONV_2D", (1, 3, 5, 7), 2 * 2 * 3 * 5 * 7 + 8),
        ("MUL", (6, 3, 5, 7), 0),
    ],
)
def test_margin_for_other_kernels(opcode, weights, scratch):
    kernel = Draft(weights, "int8", np.ones(weights, np.int8))
    inputs = [Draft((1, 9, 9, 7)), kernel]
    if opcode == "TRANSPOSE_CONV":
        inputs = [Draft((4,), "int32", np.array([1, 9, 9, 6], np.int32)), kernel, inputs[0]]
    model = model_of(opcode, inputs, Draft((1, 9, 9, 7)))
    size = ArenaSize.on_host(50_003, model)
    assert size.measured == 50_003
    assert size.size == rounded_up(50_003 + MARGIN + scratch)
    assert size.source == (
        f"50,003 measured in TFLM on the host, {MARGIN + scratch:,} of margin for other kernels"
    )


def convolution(weights):
    kernel = Draft(weights, "int8", np.ones(weights, np.int8))
    return one_operator("CONV_2D", [Draft((1, 9, 9, 7)), kernel], Draft((1, 9, 9, 7)))


@pytest.mark.parametrize("widths", [(3, 5), (5, 3)])
def test_margin_is_for_the_largest_of_several_kernels(widths):
    """They run one after the other."""
    made, step = (fixtures.unpack(convolution((7, 3, width, 7))) for width in widths)
    graph, added = made.subgraphs[0], step.subgraphs[0]
    (operator,), (_, kernel, output) = added.operators, added.tensors
    kernel.buffer = len(made.buffers)
    made.buffers.append(step.buffers[1])
    operator.inputs, operator.outputs, graph.outputs = [2, 3], [4], [4]
    graph.tensors += [kernel, output]
    graph.operators.append(operator)
    size = ArenaSize.on_host(50_003, TfliteModel.parse(fixtures.pack(made))).size
    assert size == rounded_up(50_003 + MARGIN + 2 * 2 * 3 * 5 * 7 + 8 * 7)


def test_arena_of_a_device_takes_the_larger_figure():
    assert MARGIN == 1024
    for measured, needed, size in (
        (5_000, 3_000, 6_032), (3_000, 5_000, 6_032), (5_008, 0, 6_032), (5_009, 0, 6_048),
    ):  # fmt: skip
        assert ArenaSize.on_device(measured, "paper", needed) == ArenaSize(
            measured, size, f"{measured:,} measured on paper, 1,024 of margin"
        )


def test_table_is_told_in_the_order_of_pixels(tmp_path):
    model = model_of("RELU", [Draft((1, 2, 2, 1), scale=1.0, zero_point=-128)], Draft((1, 4)))
    text = exported(tmp_path, model, PreprocessingPlan(scale=1.0))["model_data.h"]
    assert numbers(text, "kModelInputTable[256]") == list(range(-128, 128))
    text = exported(tmp_path, model, PreprocessingPlan(scale=-1.0, offset=255.0))["model_data.h"]
    assert numbers(text, "kModelInputTable[256]") == list(range(127, -129, -1))


def test_values_of_more_bits_become_pixels_as_for_the_training(tmp_path):
    """A sensor of 12 bits behind a network that learned from images of 12 bits."""
    made = one_operator("RELU", [Draft((1, 2, 2, 1))], Draft((1, 4)))
    eight = exported(tmp_path / "eight", TfliteModel.parse(made))["model_data.h"]
    assert constant(eight, "kModelImageWhite") == "255"
    deep = annotate(made, {"whites": {"whole": 4095}}, "deep", "in", "out")
    text = exported(tmp_path / "deep", TfliteModel.parse(deep))["model_data.h"]
    white = int(constant(text, "kModelImageWhite"))
    values = np.arange(65, dtype=np.uint16).reshape(1, -1) * 64
    values = np.minimum(values, 4095).astype(np.uint16)
    pixels = pixels_of(Image.fromarray(values), "image.png", {"whole": 4095})
    np.testing.assert_array_equal((255 * values.astype(int) + white // 2) // white, pixels)
