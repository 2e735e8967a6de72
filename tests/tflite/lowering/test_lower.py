"""Every pass, and all of them together: not one output byte differs."""

import numpy as np
import pytest
import tf_keras as keras
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests import fixtures
from tests.fixtures import Draft, one_operator
from tinyseg.errors import InputError
from tinyseg.runtime.runner import predict
from tinyseg.runtime.tflm import TflmRunner
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.graph import Graph, opcode
from tinyseg.tflite.lowering import ALL_PASSES, PASSES, lower
from tinyseg.tflite.lowering.broadcasts import match_shapes
from tinyseg.tflite.lowering.channel_functions import evaluate, fit, lower_channel_functions
from tinyseg.tflite.lowering.concatenations import divide_concatenation, split_depthwise
from tinyseg.tflite.lowering.constants import share_constants
from tinyseg.tflite.lowering.fixed_batch import fix_batch
from tinyseg.tflite.lowering.transposed_convolution import lower_transposed_convolutions
from tinyseg.tflite.op_table import total_cost

L = keras.layers
VALID, SAME = schema.Padding.VALID, schema.Padding.SAME


def same_bytes(before, after, images=3):
    """Compare a file's outputs on both interpreters with those of an edited one."""
    first, second = TfliteModel.parse(before), TfliteModel.parse(after)
    shape = first.inputs[0].shape[1:]
    inputs = np.random.default_rng(3).integers(-128, 128, (images, *shape)).astype(np.int8)
    expected = TflmRunner(first).run(inputs)
    np.testing.assert_array_equal(TflmRunner(second).run(inputs), expected)
    np.testing.assert_array_equal(fixtures.reference_outputs(after, inputs), expected)
    assert expected.std() > 0


def transposed(kernel, stride, padding, height=5, width=4, scales=1, activation=0, seed=0):
    """A transposed convolution of 3 to 2 channels."""
    random = np.random.default_rng(seed)
    sizes = [
        side * stride if padding == SAME else (side - 1) * stride + kernel
        for side in (height, width)
    ]
    weights = random.integers(-127, 128, (2, kernel, kernel, 3)).astype(np.int8)
    options = schema.TransposeConvOptionsT()
    options.padding, options.strideH, options.strideW = padding, stride, stride
    options.fusedActivationFunction = activation
    content = one_operator(
        "TRANSPOSE_CONV",
        [
            Draft((4,), "int32", np.array([1, *sizes, 2], np.int32)),
            Draft(weights.shape, "int8", weights, 0.01),
            Draft((1, height, width, 3), scale=0.05, zero_point=7),
            Draft((2,), "int32", random.integers(-900, 900, 2).astype(np.int32), 0.0005),
        ],
        Draft((1, *sizes, 2), scale=0.1, zero_point=-5),
        options,
    )
    model = fixtures.unpack(content)
    if scales > 1:
        quantization = model.subgraphs[0].tensors[1].quantization
        quantization.scale, quantization.zeroPoint = [0.01, 0.02], [0, 0]
    return fixtures.pack(model)


def edited(content, edit):
    graph = Graph(content)
    changed = edit(graph)
    return graph.to_bytes(), changed


@pytest.mark.parametrize("scales", [1, 2])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding"),
    [(3, 2, SAME), (2, 2, SAME), (2, 2, VALID), (4, 2, SAME), (5, 2, SAME), (3, 3, SAME),
     (5, 3, SAME), (4, 3, SAME)],
)  # fmt: skip
def test_transposed_convolution(kernel, stride, padding, scales):
    content = transposed(kernel, stride, padding, scales=scales)
    lowered, changed = edited(content, lower_transposed_convolutions)
    assert len(changed) == 1
    same_bytes(content, lowered)
    model = TfliteModel.parse(lowered)
    assert "TRANSPOSE_CONV" not in model.opcodes
    if (kernel, stride) == (3, 2):
        # No product more than the transposed convolution has.
        assert total_cost(model).macs == total_cost(TfliteModel.parse(content)).macs


@pytest.mark.parametrize(
    "content",
    [transposed(3, 2, VALID), transposed(3, 2, SAME, activation=1)],
    ids=["output_is_no_multiple", "fused_activation"],
)
def test_other_transposed_convolutions_stay(content):
    lowered, changed = edited(content, lower_transposed_convolutions)
    assert not changed
    assert TfliteModel.parse(lowered).opcodes == ["TRANSPOSE_CONV"]


def elementwise(name, values, scale, zero, out_scale, out_zero):
    options = {"MUL": schema.MulOptionsT, "ADD": schema.AddOptionsT}[name]()
    shape = (1, 16, 16, len(values))
    return one_operator(
        name,
        [
            Draft(shape, scale=0.04, zero_point=-11),
            Draft((len(values),), "int8", np.array(values, np.int8), scale, zero),
        ],
        Draft(shape, scale=out_scale, zero_point=out_zero),
        options,
    )


@pytest.mark.parametrize(
    ("name", "values", "scale", "zero", "out_scale", "out_zero"),
    [
        ("MUL", [100, -60, 3, 0], 0.01, 0, 0.05, 4),
        ("ADD", [100, -60, 3, -128], 0.02, 5, 0.09, 30),
        ("ADD", [1, 2, 3, 4], 0.3, 0, 0.5, -100),
    ],
)
def test_channel_functions(name, values, scale, zero, out_scale, out_zero):
    content = elementwise(name, values, scale, zero, out_scale, out_zero)
    lowered, changed = edited(content, lower_channel_functions)
    assert len(changed) == 1
    assert TfliteModel.parse(lowered).opcodes == ["DEPTHWISE_CONV_2D"]
    same_bytes(content, lowered, images=6)


def test_fit_gives_the_table_or_nothing():
    """What no line rounds to is refused; what is found is exact."""
    steps = np.arange(-128, 128)
    straight = np.clip(np.round(0.37 * (steps - 5)) + 9, -128, 127).astype(np.int8)
    weight, bias, factor = fit(straight, 5, 9)
    made = evaluate(np.array(weight), np.array(bias), np.array(factor), 5, 9)
    np.testing.assert_array_equal(made, straight)
    assert fit((steps**2 // 200).astype(np.int8), 0, 0) is None


@pytest.mark.parametrize("name", ["MUL", "ADD"])
def test_constants_of_channels_get_the_shape_of_the_image(name):
    content = elementwise(name, [100, -60, 3, 0], 0.01, 0, 0.05, 4)
    lowered, changed = edited(content, match_shapes)
    assert len(changed) == 1
    same_bytes(content, lowered)
    shapes = {t.shape for op in TfliteModel.parse(lowered).operators if op.opcode == name
              for t in op.inputs}  # fmt: skip
    assert shapes == {(1, 16, 16, 4)}


def test_gates_get_all_channels():
    content = one_operator(
        "MUL",
        [Draft((1, 6, 6, 1), scale=0.004, zero_point=-128), Draft((1, 6, 6, 5), scale=0.1)],
        Draft((1, 6, 6, 5), scale=0.09, zero_point=3),
        schema.MulOptionsT(),
    )
    lowered, changed = edited(content, match_shapes)
    assert len(changed) == 1
    before, after = fixtures.interpreter(content), fixtures.interpreter(lowered)
    random = np.random.default_rng(0)
    for _ in range(4):
        results = []
        inputs = [random.integers(-128, 128, d["shape"]) for d in before.get_input_details()]
        for interpreter in (before, after):
            for detail, value in zip(interpreter.get_input_details(), inputs, strict=True):
                interpreter.set_tensor(detail["index"], value.astype(np.int8))
            interpreter.invoke()
            results.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
        np.testing.assert_array_equal(*results)


@pytest.fixture(scope="module")
def concatenating():
    """Two paths, concatenated, then a separable convolution."""
    image = keras.Input((12, 12, 3), name="image")
    parts = [L.Conv2D(4, 3, padding="same", activation="relu")(image) for _ in range(2)]
    x = L.DepthwiseConv2D(3, padding="same")(L.Concatenate()(parts))
    x = L.Conv2D(6, 1, activation="relu")(x)
    calibration = np.random.default_rng(0).random((4, 12, 12, 3), np.float32)
    return fixtures.convert(keras.Model(image, L.Conv2D(1, 1)(x)), calibration)


def test_depthwise_convolutions_before_concatenations(concatenating):
    lowered, changed = edited(concatenating, split_depthwise)
    assert len(changed) == 1
    same_bytes(concatenating, lowered)
    (joined,) = [o for o in TfliteModel.parse(lowered).operators if o.opcode == "CONCATENATION"]
    graph = Graph(lowered)
    divided = divide_concatenation(graph, joined.index)
    assert len(divided) == 1
    same_bytes(concatenating, graph.to_bytes())
    assert divide_concatenation(Graph(concatenating), 0) == []


def test_shapes_become_constant():
    image = keras.Input((8, 8, 3), name="image")
    x = L.Conv2DTranspose(4, 3, strides=2, padding="same")(image)
    calibration = np.random.default_rng(0).random((4, 8, 8, 3), np.float32)
    content = fixtures.convert(keras.Model(image, x), calibration)
    lowered, _ = edited(content, fix_batch)
    assert {"SHAPE", "STRIDED_SLICE", "PACK"}.isdisjoint(TfliteModel.parse(lowered).opcodes)
    same_bytes(content, lowered)


def test_equal_constants_are_shared():
    content = transposed(3, 2, SAME)
    lowered, _ = edited(content, lower_transposed_convolutions)
    shared, merged = edited(lowered, share_constants)
    assert len(merged) == 3  # Four phases have the same bias.
    assert len(TfliteModel.parse(shared).tensors) == len(TfliteModel.parse(lowered).tensors) - 3
    same_bytes(content, shared)


@pytest.mark.parametrize("edit", PASSES.values(), ids=PASSES)
def test_nothing_to_do(edit):
    content = one_operator("LOGISTIC", [Draft((1, 4, 4, 2))], Draft((1, 4, 4, 2), scale=1 / 256,
                                                                    zero_point=-128))  # fmt: skip
    lowered, changed = edited(content, edit)
    assert not changed
    assert TfliteModel.parse(lowered).checksum() == TfliteModel.parse(content).checksum()


@pytest.fixture(scope="module")
def small():
    return TfliteModel.parse(fixtures.quantized(io="float32"), "small.tflite")


@pytest.mark.parametrize("patches", [False, True], ids=["exact", "patches"])
def test_all_passes(small, patches):
    lowered, steps = lower(small, patches=patches)
    runner = TflmRunner(lowered)
    pictures = fixtures.pictures(4)
    np.testing.assert_array_equal(predict(runner, pictures), predict(TflmRunner(small), pictures))
    assert runner.arena.total == steps[-1].arena_bytes < steps[0].arena_bytes
    assert steps[0].macs == total_cost(small).macs
    assert steps[-1].macs == total_cost(lowered).macs <= 1.6 * steps[0].macs
    assert {step.name for step in steps} <= {"file", *ALL_PASSES}
    assert lowered.inputs[0].name == small.inputs[0].name
    assert "TRANSPOSE_CONV" not in lowered.opcodes


@pytest.mark.parametrize("name", ALL_PASSES)
def test_pass_can_be_left_out(small, name):
    steps = lower(small, without=[name]).steps
    assert name not in {step.name for step in steps}


def test_unknown_pass(small):
    with pytest.raises(InputError, match="pass 'magic' is unknown; choose from fixed_batch"):
        lower(small, without=["magic"])


def test_lowering_twice_changes_no_more_operators(small):
    once = lower(small).model
    twice = lower(once).model
    assert [opcode(o) for o in Graph(twice.content).operators] == once.opcodes
