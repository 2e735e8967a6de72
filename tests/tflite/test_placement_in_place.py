"""Operators that write over what they read: the bytes stay, on TFLM's own interpreter."""

import itertools

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from tests import fixtures
from tests.tflite import drafts
from tests.tflite.arena import measure
from tests.tflite.drafts import File, conv, on_reference, on_tflm, options, random_inputs
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.graph import Graph
from tinyseg.tflite.memory import predict
from tinyseg.tflite.model import OFFLINE_PLAN
from tinyseg.tflite.placement import least_arena, place

# Each element of their output depends on those at its place alone.
ELEMENTWISE = {"ADD", "MUL", "LOGISTIC", "RELU", "RELU6"}
SIDE = 16
# Bytes of an image of 8 channels, and of 1.
WIDE, NARROW = SIDE * SIDE * 8, SIDE * SIDE


def image(file, channels=8, **settings):
    return file.tensor((1, SIDE, SIDE, channels), **settings)


def like(file, source):
    return tuple(file.graph.tensors[source].shape)


def sigmoid(file, source):
    target = file.tensor(like(file, source), scale=1 / 256, zero_point=-128)
    return file.operator("LOGISTIC", [source], target)


def relu(file, source, opcode="RELU"):
    # RELU6 keeps the quantization of its input.
    made = file.graph.tensors[source].quantization
    scale, zero_point = made.scale[0], made.zeroPoint[0]
    target = file.tensor(like(file, source), scale=scale, zero_point=zero_point)
    return file.operator(opcode, [source], target)


def pair(file, opcode, one, other):
    shape = np.broadcast_shapes(like(file, one), like(file, other))
    target = file.tensor(shape, scale={"ADD": 0.15, "MUL": 0.4}[opcode], zero_point=5)
    return file.operator(opcode, [one, other], target, options(opcode.title()))


def pool(file, source):
    """Not elementwise, though its output has the shape of its input."""
    made = file.graph.tensors[source].quantization
    target = file.tensor(like(file, source), scale=made.scale[0], zero_point=made.zeroPoint[0])
    values = {"filterHeight": 3, "filterWidth": 3, "padding": drafts.SAME}
    return file.operator("MAX_POOL_2D", [source], target, options("Pool2D", **values))


def places(content):
    """Offsets of all tensors in a placed file, -1 without one; the header of the plan is right."""
    words = np.frombuffer(TfliteModel.parse(content).metadata[OFFLINE_PLAN], "<i4").tolist()
    count = len(fixtures.unpack(content).subgraphs[0].tensors)
    assert words[:3] == [1, 0, count]
    assert len(words) == 3 + count
    return words[3:]


def lifetimes(model):
    """First and last operator of each activation, counted from the graph alone."""
    end = len(model.operators)
    spans = {tensor.index: [-1, -1] for tensor in model.inputs}
    for operator in model.operators:
        for tensor in (*operator.inputs, *operator.outputs):
            if tensor is not None and not tensor.constant:
                spans.setdefault(tensor.index, [operator.index, 0])[1] = operator.index
    for tensor in model.outputs:
        spans[tensor.index][1] = end
    return spans


def shared(content):
    """Names of tensors alive together that a file's plan lets overlap, in order."""
    model, offsets = TfliteModel.parse(content), places(content)
    spans, found = lifetimes(model), []
    for one, other in itertools.permutations([model.tensors[index] for index in spans], 2):
        (a, b), (c, d) = spans[one.index], spans[other.index]
        if (a, one.index) > (c, other.index) or d < a or b < c:
            continue
        x, y = offsets[one.index], offsets[other.index]
        if x < y + other.elements and y < x + one.elements:
            assert x == y
            found.append((one, other))
    return found


def assert_sound(content):
    """Check a plan against the graph: what overlaps is what an operator may write over."""
    model = TfliteModel.parse(content)
    border = {tensor.index for tensor in model.inputs}
    spans = lifetimes(model)
    for source, target in shared(content):
        (operator,) = [op for op in model.operators if target in op.outputs]
        assert operator.opcode in ELEMENTWISE
        assert source in operator.inputs
        assert (source.shape, source.dtype) == (target.shape, target.dtype)
        assert spans[source.index][1] == operator.index
        assert source.index not in border


def assert_same_bytes(before, after, images=2):
    """Compare with the file without places on TFLM, and on the reference, which ignores them."""
    for seed in range(images):
        inputs = random_inputs(before, seed)
        for run in (on_tflm, on_reference):
            expected = run(before, inputs)
            assert any(one.std() > 0 for one in expected)
            for one, found in zip(expected, run(after, inputs), strict=True):
                np.testing.assert_array_equal(found, one, strict=True)


@pytest.fixture
def head(capfd):
    """Bytes of the arena's head, as TFLM itself takes them and as they are predicted."""

    def of(content):
        predicted = predict(TfliteModel.parse(content))
        assert measure(content, capfd) == (predicted.head, predicted.tail)
        return predicted.head

    return of


def names(content):
    return [(source.name, target.name) for source, target in shared(content)]


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
    assert len(shared(placed)) == 3
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


def with_plan(content, offsets):
    model = TfliteModel.parse(content)
    words = [offsets.get(tensor.index, -1) for tensor in model.tensors]
    edited = fixtures.unpack(content)
    drafts.add_metadata(edited, OFFLINE_PLAN, np.array([1, 0, len(words), *words], "<i4").tobytes())
    return fixtures.pack(edited)


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
    tail = predict(model, target).tail
    assert least_arena(model, target) == max(WIDE + NARROW + tail, predict(model, target).setup)
    shape = file.constant([1, 2 * SIDE, 2 * SIDE, 3], "int32")
    weights = file.constant(np.ones((3, 2, 2, 8)), scale=0.01)
    large = file.tensor((1, 2 * SIDE, 2 * SIDE, 3), scale=0.1)
    values = options("TransposeConv", strideH=2, strideW=2)
    file.operator("TRANSPOSE_CONV", [shape, weights, end], large, values)
    model = TfliteModel.parse(file.content([source], [large]))
    made = predict(model, target)
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
    made = predict(model)
    assert made.setup > made.total
    assert least_arena(model) == made.setup


@st.composite
def networks(draw):
    """Files of branches, tensors read again later, gates of one channel, several outputs."""
    file = File()
    if draw(st.booleans()):
        image(file)
    inputs = [image(file, draw(st.sampled_from([1, 8]))) for _ in range(draw(st.integers(1, 2)))]
    made = list(inputs)
    kinds = ["conv", "gate", "window", "relu", "relu6", "sigmoid", "pool", "add", "mul", "mul"]
    for kind in draw(st.lists(st.sampled_from(kinds), min_size=2, max_size=9)):
        # Mostly the newest, for then an operator may write over what it reads.
        newest = st.sampled_from(made[-2:]) | st.sampled_from(made)
        one, other = draw(newest), draw(newest)
        match kind:
            case "conv" | "gate":
                end = conv(file, one, 8 if kind == "conv" else 1, seed=len(made))
            case "window":
                end = conv(file, one, 8, (3, 3), seed=len(made))
            case "relu" | "relu6":
                end = relu(file, one, kind.upper())
            case "sigmoid":
                end = sigmoid(file, one)
            case "pool":
                end = pool(file, one)
            case _:
                end = pair(file, kind.upper(), one, other)
        made.append(end)
    computed = made[len(inputs) :]
    more = draw(st.lists(st.sampled_from(computed), max_size=2))
    outputs = list(dict.fromkeys([computed[-1], *more]))
    return file.content(inputs, draw(st.permutations(outputs)))


@settings(max_examples=80)
@given(networks())
def test_places_keep_the_bytes(content):
    placed = place(content)
    model = TfliteModel.parse(content)
    event("placed" if placed != content else "as it was")
    if placed == content:
        return
    after = TfliteModel.parse(placed)
    assert_sound(placed)
    assert_same_bytes(content, placed, images=1)
    assert predict(after).head < predict(model).head
    # Places go with a file's unused tensors, which take bytes too.
    assert least_arena(TfliteModel.parse(Graph(content).to_bytes())) <= predict(after).needed
