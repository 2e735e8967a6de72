"""BATCH_MATMUL: work by hand, memory against the interpreter and the kernels' sources."""

import pytest
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests import fixtures
from tests.fixtures import Draft
from tests.tflite.measured import measure
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.arena.memory import predict_arena
from tinyseg.tflite.ops.cost import Cost
from tinyseg.tflite.ops.registry import cost, options_bytes, persistent, registration, scratch
from tinyseg.tflite.target import target_of


def product(dtype="int8", transposed=(False, False)):
    """A file with the product of two matrices of 4 x 6 and 6 x 3, twice; either may be turned."""
    options = schema.BatchMatMulOptionsT()
    options.adjX, options.adjY = transposed
    left, right = ((2, *shape[::-1]) if turned else (2, *shape)
                   for shape, turned in zip(((4, 6), (6, 3)), transposed, strict=True))  # fmt: skip
    inputs = [Draft(left, dtype), Draft(right, dtype)]
    return fixtures.one_operator("BATCH_MATMUL", inputs, Draft((2, 4, 3), dtype), options)


def operator(*args):
    return TfliteModel.parse(product(*args)).operators[0]


TURNED = [(x, y) for x in (False, True) for y in (False, True)]


@pytest.mark.parametrize("transposed", TURNED)
def test_each_of_the_outputs_takes_the_inner_dimension(transposed):
    # 2 * 4 * 3 outputs of 6 products each.
    assert cost(operator("int8", transposed)) == Cost(144, 288)


@pytest.mark.parametrize("dtype", ["int8", "int16", "float32"])
@pytest.mark.parametrize("transposed", TURNED)
def test_arena_is_that_of_tflm(dtype, transposed, capfd):
    content = product(dtype, transposed)
    plan = predict_arena(TfliteModel.parse(content))
    assert (plan.head, plan.tail) == measure(content, capfd)


@pytest.mark.parametrize(
    ("target", "structure", "tensor"), [("host", 32, 24), ("cortex_m", 36, 12)]
)
def test_operands_that_must_be_turned_are_kept(target, structure, tensor):
    """A turned operand takes a structure, its dimensions and its values."""
    build, dimensions = target_of(target), 16
    assert options_bytes("BATCH_MATMUL", build) == 3
    left, right = [tensor, dimensions, 48], [tensor, dimensions, 36]
    for transposed, kept in zip(TURNED, (right, [], left + right, left), strict=True):
        expected = [structure, 24, *kept, dimensions]
        assert persistent(operator("int8", transposed), build) == expected
    # Without quantization there are no multipliers.
    assert persistent(operator("float32", (False, True)), build) == [structure, dimensions]


def test_only_the_vectorized_int8_kernel_asks_for_scratch():
    for target, expected in (("host", []), ("cortex_m", []), ("cortex_m55", [12])):
        assert scratch(operator("int8"), target_of(target)) == expected
    assert scratch(operator("int16"), target_of("cortex_m55")) == []


def test_call_by_type():
    assert registration([operator("int8")]) == (
        "AddBatchMatMul(tflite::Register_BATCH_MATMUL_INT8())"
    )
    for dtype in ("int16", "float32"):
        assert registration([operator(dtype)]) == "AddBatchMatMul()"
    assert registration([operator("uint8")]) is None
