"""Operators that write over what they read: the bytes stay, on TFLM's own interpreter."""

import numpy as np
import pytest

from tests.tflite.drafts import File, conv, options
from tests.tflite.measured import measure
from tests.tflite.placed import (
    NARROW,
    SIDE,
    WIDE,
    assert_same_bytes,
    image,
    names,
    pair,
    places,
    pool,
    relu,
    shared,
    sigmoid,
    with_plan,
)
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.arena.memory import predict_arena
from tinyseg.tflite.arena.placement import least_arena, place
from tinyseg.tflite.model import OFFLINE_PLAN


@pytest.fixture
def head(capfd):
    """Bytes of the arena's head, as TFLM itself takes them and as they are predicted."""

    def of(content):
        predicted = predict_arena(TfliteModel.parse(content))
        assert measure(content, capfd) == (predicted.head, predicted.tail)
        return predicted.head

    return of


def test_what_is_read_later_is_not_written_over(head):
    """A gate of a tensor by itself: its sigmoid must not replace it, the product may."""
    file = File()
    source = image(file)
    plain = conv(file, source, 8)
    product = pair(file, "MUL", plain, sigmoid(file, plain))
    content = file.content([source], [product])
    placed = place(content)
    assert head(content) == 3 * WIDE
    assert head(placed) == 2 * WIDE
    assert_same_bytes(content, placed)
    assert names(placed) == [(f"tensor_{plain}", f"tensor_{product}")]


@pytest.mark.parametrize("gate_first", [True, False])
def test_operands_of_other_shapes_lie_apart(head, gate_first):
    """One channel times eight: only the wide operand may be written over."""
    file = File()
    source = image(file, 1)
    wide = conv(file, source, 8)
    gate = conv(file, wide, 1, seed=1)
    operands = (gate, wide) if gate_first else (wide, gate)
    product = pair(file, "MUL", *operands)
    content = file.content([source], [product])
    placed = place(content)
    assert head(content) == 2 * WIDE + NARROW
    assert head(placed) == WIDE + NARROW
    assert_same_bytes(content, placed)
    assert names(placed) == [(f"tensor_{wide}", f"tensor_{product}")]


@pytest.mark.parametrize("opcode", ["ADD", "MUL"])
def test_one_operand_of_two_is_written_over(head, opcode):
    """Both are read for the last time: they differ, so they need two places."""
    file = File()
    source = image(file, 1)
    one, other = conv(file, source, 8), conv(file, source, 8, seed=1)
    total = pair(file, opcode, one, other)
    content = file.content([source], [total])
    placed = place(content)
    assert head(placed) == 2 * WIDE + NARROW < head(content)
    assert_same_bytes(content, placed)
    assert names(placed) == [(f"tensor_{one}", f"tensor_{total}")]


def test_a_tensor_times_itself(head):
    file = File()
    source = image(file, 1)
    plain = conv(file, source, 8)
    content = file.content([source], [pair(file, "MUL", plain, plain)])
    placed = place(content)
    assert (head(content), head(placed)) == (2 * WIDE, WIDE + NARROW)
    assert_same_bytes(content, placed)


def test_a_chain_lies_in_one_place(head):
    file = File()
    source = image(file, 1)
    end = relu(file, conv(file, source, 8))
    end = conv(file, sigmoid(file, relu(file, end, "RELU6")), 1, seed=1)
    content = file.content([source], [end])
    placed = place(content)
    assert (head(content), head(placed)) == (2 * WIDE, WIDE + NARROW)
    assert len(shared(TfliteModel.parse(placed))) == 3
    assert_same_bytes(content, placed)


@pytest.mark.parametrize("constant_first", [True, False])
def test_a_constant_operand_is_no_place(head, constant_first):
    file = File()
    source = image(file, 1)
    plain = conv(file, source, 8)
    values = np.random.default_rng(0).integers(-128, 128, (1, SIDE, SIDE, 8))
    fixed = file.constant(values, scale=0.03)
    operands = (fixed, plain) if constant_first else (plain, fixed)
    content = file.content([source], [pair(file, "ADD", *operands)])
    placed = place(content)
    assert (head(content), head(placed)) == (2 * WIDE, WIDE + NARROW)
    assert places(placed).count(-1) == 3
    assert_same_bytes(content, placed)


@pytest.mark.parametrize("more", [0, 1])
def test_outputs_that_operators_read_are_kept(more):
    """Also where the one that reads it is the last of all."""
    file = File()
    source = image(file, 1)
    plain = conv(file, source, 8)
    end = relu(file, plain)
    if more:
        end = conv(file, end, 1, seed=1)
    content = file.content([source], [plain, end])
    placed = place(content)
    assert placed is content
    assert_same_bytes(content, placed)


def test_inputs_are_not_written_in_place(head):
    file = File()
    source = image(file)
    content = file.content([source], [conv(file, relu(file, source), 1)])
    assert place(content) is content
    assert head(content) == 2 * WIDE


@pytest.mark.parametrize("kind", ["custom", "pool", "type"])
def test_only_elementwise_operators_of_one_type_share(kind):
    """A custom operator of an elementwise one's name, a window, another type: none may."""
    file = File()
    source = image(file, 1)
    plain = conv(file, source, 8)
    if kind == "pool":
        end = pool(file, plain)
    elif kind == "type":
        end = file.operator("RELU", [plain], image(file, 8, dtype="int16"))
    else:
        end = relu(file, plain)
        code = file.model.operatorCodes[-1]
        code.builtinCode = code.deprecatedBuiltinCode = 32
        code.customCode = "RELU"
    content = file.content([source], [conv(file, end, 1, seed=1)])
    opcode = TfliteModel.parse(content).operators[1]
    assert (opcode.opcode, opcode.custom) == (
        "MAX_POOL_2D" if kind == "pool" else "RELU",
        kind == "custom",
    )
    assert place(content) is content


def test_an_absent_operand_is_no_place():
    file = File()
    source = image(file, 1)
    plain = conv(file, source, 8)
    end = file.operator("ADD", [-1, plain], image(file), options("Add"))
    placed = place(file.content([source], [end]))
    assert names(placed) == [(f"tensor_{plain}", f"tensor_{end}")]


def test_places_that_help_nothing_are_dropped(head):
    """TFLM's own planner is as good here; the file's plan wastes a kilobyte."""
    file = File()
    source = image(file)
    content = file.content([source], [conv(file, source, 8)])
    assert place(content) is content
    wasteful = with_plan(content, {0: 1024, 3: 1024 + WIDE})
    assert head(wasteful) == 1024 + 2 * WIDE
    placed = place(wasteful)
    assert OFFLINE_PLAN not in TfliteModel.parse(placed).metadata
    assert head(placed) == 2 * WIDE
    assert_same_bytes(content, placed)


def test_a_better_plan_replaces_the_file_s_own(head):
    file = File()
    source = image(file)
    plain = conv(file, source, 8)
    product = pair(file, "MUL", plain, sigmoid(file, plain))
    content = file.content([source], [product])
    wasteful = with_plan(content, {index: (1 + index) * WIDE for index in (0, 3, 4, 5)})
    assert head(wasteful) == 7 * WIDE
    assert place(wasteful) == place(content)


def test_unused_tensors_do_not_shift_the_places(head):
    file = File()
    image(file)
    source = image(file)
    plain = conv(file, source, 8)
    file.constant(np.arange(7))
    gate = sigmoid(file, plain)
    product = pair(file, "MUL", gate, plain)
    content = file.content([source], [product])
    placed = place(content)
    assert head(placed) == 2 * WIDE
    assert places(placed).count(-1) == 2
    assert names(placed) == [(f"tensor_{gate}", f"tensor_{product}")]
    assert_same_bytes(content, placed)


@pytest.mark.parametrize("target", ["host", "cortex_m"])
def test_least_arena_by_hand(target):
    """The scratch of a transposed convolution counts where it lives, the tail is the target's."""
    file = File()
    source = image(file, 1)
    plain = conv(file, source, 8)
    end = relu(file, relu(file, plain))
    content = file.content([source], [end])
    model = TfliteModel.parse(content)
    tail = predict_arena(model, target).tail
    assert least_arena(model, target) == max(
        WIDE + NARROW + tail, predict_arena(model, target).setup
    )
    shape = file.constant([1, 2 * SIDE, 2 * SIDE, 3], "int32")
    weights = file.constant(np.ones((3, 2, 2, 8)), scale=0.01)
    large = file.tensor((1, 2 * SIDE, 2 * SIDE, 3), scale=0.1)
    values = options("TransposeConv", strideH=2, strideW=2)
    file.operator("TRANSPOSE_CONV", [shape, weights, end], large, values)
    model = TfliteModel.parse(file.content([source], [large]))
    made = predict_arena(model, target)
    area = 4 * SIDE * SIDE * 3
    scratch = {"host": [4 * area], "cortex_m": [buffer.size for buffer in made.buffers[-2:]]}
    expected = WIDE + area + sum(scratch[target]) + made.tail
    assert least_arena(model, target) == max(expected, made.setup)


def test_least_arena_of_many_small_tensors_is_that_of_planning_them():
    file = File()
    source = end = file.tensor((1, 1, 1, 8))
    for _ in range(60):
        end = relu(file, end)
    model = TfliteModel.parse(file.content([source], [end]))
    made = predict_arena(model)
    assert made.setup > made.total
    assert least_arena(model) == made.setup
