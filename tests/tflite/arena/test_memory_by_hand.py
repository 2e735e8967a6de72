"""The arena of a small file for each target, counted by hand from TFLM's order of allocations."""

import dataclasses

import numpy as np
import pytest

from tests import fixtures
from tests.tflite import drafts
from tests.tflite.drafts import File, conv, options
from tests.tflite.measured import measure
from tinyseg.errors import InputError
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.arena.memory import buffers, facts, predict_arena
from tinyseg.tflite.arena.planner import PlannedBuffer, align
from tinyseg.tflite.arena.tail import operator_overhead, persistent_bytes
from tinyseg.tflite.model import OFFLINE_PLAN

TARGETS = ("host", "cortex_m", "cortex_m55")


def network():
    """A 3x3 convolution, which CMSIS-NN gives scratch, and a transposed one, which takes its own.

    The first one's output is an output too; seven tensors besides those.
    """
    file = File()
    image = file.tensor((1, 4, 5, 3), name="image")
    plain = file.tensor((1, 4, 5, 7), name="net/conv/BiasAdd", scale=0.1)
    conv(file, image, 7, (3, 3), target=plain)
    shape = file.constant([1, 8, 10, 2], "int32", name="shape")
    weights = file.constant(np.ones((2, 2, 2, 7)), scale=[0.01, 0.02], name="kernel")
    large = file.tensor((1, 8, 10, 2), scale=0.3, name="net/up/stack")
    values = options("TransposeConv", strideH=2, strideW=2)
    file.operator("TRANSPOSE_CONV", [shape, weights, plain], large, values)
    return file.content([image], [large, plain])


@pytest.fixture(scope="module")
def content():
    return network()


@pytest.fixture(scope="module")
def model(content):
    return TfliteModel.parse(content, "net.tflite")


def grown(steps):
    """Bytes of allocations one after another, each with its alignment."""
    used = 0
    for size, alignment in steps:
        used = -(-(used + size) // alignment) * alignment
    return used


# Interpreter and allocators; the subgraph, 7 tensors and 2 nodes; options; what kernels keep.
HOST = [(104, 8), (72, 8), (272, 8), (16, 8), (24, 8), (7 * 24, 8), (2 * 64, 8), (28, 4), (20, 4)]
HOST += [(80, 16), (28, 16), (28, 16), (88, 16), (8, 16), (8, 16)]
ARM = [(36, 4), (44, 4), (36, 4), (8, 4), (8, 4), (7 * 12, 4), (2 * 32, 4), (28, 4), (16, 4)]
ARM += [(60, 16), (28, 16), (28, 16), (76, 16), (8, 16), (8, 16)]
# Handles of scratch buffers: one for the transposed convolution; CMSIS-NN has two, and one more.
HOST += [(8, 8)]
ARM += [(3 * 4, 4)]
# Pointers of one input and of two outputs; each tensor, its quantization and its scale.
HOST_BORDER = [(8, 16), (64, 8), (24, 8), (8, 4), (16, 16)] + 2 * [(64, 8), (24, 8), (8, 4)]
ARM_BORDER = [(4, 16), (32, 4), (12, 4), (8, 4), (8, 16)] + 2 * [(32, 4), (12, 4), (8, 4)]
# While it plans: requests and 12 to spare, tensors and requests, a pointer; 40 for each buffer.
HOST_SETUP = align(grown(HOST)) + align(16 * (1 + 12) + 32 * (7 + 1) + 8) + align(40 * 4)
ARM_SETUP = align(grown(ARM)) + align(12 * (3 + 12) + 24 * (7 + 3) + 4) + align(40 * 6)


def test_tail_and_planning_by_hand(content, model, capfd):
    host = predict_arena(model)
    assert (host.tail, host.setup) == (grown(HOST + HOST_BORDER), HOST_SETUP)
    assert measure(content, capfd) == (host.head, host.tail)
    for target in ("cortex_m", "cortex_m55"):
        arm = predict_arena(model, target)
        assert (arm.tail, arm.setup) == (grown(ARM + ARM_BORDER), ARM_SETUP)
        assert arm.target == target
    assert host.total == host.head + host.tail
    assert host.needed == max(host.total, HOST_SETUP)


# 60, 140 and 160 bytes of activations, rounded up to 16.
IMAGE, PLAIN, LARGE = 64, 144, 160
# The transposed convolution: an int32 for each output; CMSIS-NN's 10 columns of 2 channels, 2 rows.
HOST_SCRATCH, ARM_SCRATCH = 640, 160
# Fields of 27 values: two of int16, from 28; four of int8, from 32.
FIELD = {"cortex_m": 112, "cortex_m55": 128}


@pytest.mark.parametrize("target", TARGETS)
def test_lives_of_buffers_by_hand(model, target):
    made = buffers(model, target)
    found = [(b.size, b.first, b.last, b.tensor and b.tensor.name, b.operator) for b in made]
    expected = [
        (IMAGE, -1, 0, "image", None),
        (PLAIN, 0, 1, "net/conv/BiasAdd", None),
        (LARGE, 1, 1, "net/up/stack", None),
    ]
    if target == "host":
        expected += [(HOST_SCRATCH, 1, 1, None, 1)]
    else:
        expected += [(FIELD[target], 0, 0, None, 0), (ARM_SCRATCH, 1, 1, None, 1)]
        expected += [(0, 1, 1, None, 1)]
    assert found == expected
    assert all(buffer.offset is None for buffer in made)


@pytest.mark.parametrize("target", TARGETS)
def test_peak_by_hand(model, target):
    made = predict_arena(model, target)
    first = IMAGE + PLAIN + FIELD.get(target, 0)
    second = PLAIN + LARGE + (HOST_SCRATCH if target == "host" else ARM_SCRATCH)
    assert made.live == (first, second)
    assert made.lower_bound == second
    assert made.peak_operator == 1
    sizes = [LARGE, PLAIN]
    sizes = [HOST_SCRATCH, *sizes] if target == "host" else [LARGE, ARM_SCRATCH, PLAIN, 0]
    assert [buffer.size for buffer in made.peak] == sizes
    before = [IMAGE, PLAIN, *([FIELD[target]] if target != "host" else [])]
    assert [buffer.size for buffer in made.alive(0)] == sorted(before)[::-1]


def test_lower_bound_counts_what_lives_before_the_first_operator():
    """A large input that no operator reads is there until the first one starts."""
    file = File()
    one, large = file.tensor((1, 4, 4, 1)), file.tensor((1, 40, 40, 1))
    content = file.content([one, large], [conv(file, one, 1)])
    made = predict_arena(TfliteModel.parse(content))
    assert made.live == (32,)
    assert made.lower_bound == made.head == 1616


def test_facts_by_hand(model):
    made = predict_arena(model, "cortex_m")
    values = facts(model, made)
    rows = values.pop("buffers")
    scratch = {"shape": None, "dtype": "bytes"}
    up = {"name": "scratch of TRANSPOSE_CONV", "layer": "up", "first": 1, "last": 1, **scratch}
    expected = [
        {"name": "image", "layer": "image", "shape": [1, 4, 5, 3], "dtype": "int8",
         "size_bytes": 64, "first": -1, "last": 0},
        {"name": "net/conv/BiasAdd", "layer": "conv", "shape": [1, 4, 5, 7], "dtype": "int8",
         "size_bytes": 144, "first": 0, "last": 1},
        {"name": "net/up/stack", "layer": "up", "shape": [1, 8, 10, 2], "dtype": "int8",
         "size_bytes": 160, "first": 1, "last": 1},
        {"name": "scratch of CONV_2D", "layer": "conv", "size_bytes": 112, "first": 0, "last": 0,
         **scratch},
        {**up, "size_bytes": 160},
        {**up, "size_bytes": 0},
    ]  # fmt: skip
    assert [row.pop("offset_bytes") for row in rows] == list(made.offsets)
    assert rows == expected
    peak, operators = values.pop("peak"), values.pop("operators")
    assert values == {
        "file": "net.tflite",
        "uncounted": [],
        "target": "cortex_m",
        "total_bytes": made.head + made.tail,
        "head_bytes": made.head,
        "tail_bytes": grown(ARM + ARM_BORDER),
        "setup_bytes": ARM_SETUP,
        "needed_bytes": max(made.head + made.tail, ARM_SETUP),
        "lower_bound_bytes": 144 + 160 + 160,
    }
    # Node, options, structure and arrays of 7 and of 2 channels, handles.
    assert operators == [
        {"index": 0, "opcode": "CONV_2D", "layer": "conv", "live_bytes": 64 + 144 + 112,
         "persistent_bytes": 32 + 28 + 64 + 32 + 32 + 4},
        {"index": 1, "opcode": "TRANSPOSE_CONV", "layer": "up", "live_bytes": 144 + 160 + 160,
         "persistent_bytes": 32 + 16 + 80 + 16 + 16 + 8},
    ]  # fmt: skip
    tensors = peak.pop("tensors")
    assert peak == {"operator": 1, "opcode": "TRANSPOSE_CONV", "layer": "up", "live_bytes": 464}
    assert [row["size_bytes"] for row in tensors] == [160, 160, 144, 0]
    assert {row["name"] for row in tensors} == {
        "net/up/stack", "net/conv/BiasAdd", "scratch of TRANSPOSE_CONV",
    }  # fmt: skip


def test_what_operators_keep_by_hand(model):
    first, second = model.operators
    assert persistent_bytes(first) == 64 + 28 + 80 + 32 + 32
    assert persistent_bytes(second) == 64 + 20 + 96 + 16 + 16 + 8
    assert persistent_bytes(first, "cortex_m55") == 32 + 28 + 64 + 32 + 32 + 4


def test_overhead_of_an_operator_by_hand():
    kept = {"host": 64 + 28 + 80 + 2 * 48, "cortex_m": 32 + 28 + 64 + 2 * 48}
    for target, structure in (("host", 24), ("cortex_m", 12)):
        for outputs, constants in ((1, 0), (1, 3), (2, 0), (3, 2)):
            expected = (outputs + constants) * structure + kept[target]
            got = operator_overhead("CONV_2D", 11, outputs, target, constants)
            assert got == expected
    assert operator_overhead("CONV_2D", 11) == 24 + kept["host"]


def with_words(words, rest=b""):
    model = fixtures.unpack(network())
    content = np.array(words, "<i4").tobytes() + rest
    drafts.add_metadata(model, OFFLINE_PLAN, content)
    return TfliteModel.parse(fixtures.pack(model), "net.tflite")


# Places of image, output and large output.
PLAN = [1, 0, 7, 512, 1024, -1, -1, -1, -1, 0]


@pytest.mark.parametrize("rest", [b"", b"\1\2\3"])
def test_own_plan_by_hand(rest):
    model = with_words(PLAN, rest)
    places = {b.tensor.name: b.offset for b in buffers(model) if b.tensor is not None}
    assert places == {"image": 512, "net/conv/BiasAdd": 1024, "net/up/stack": 0}
    made = predict_arena(model)
    assert made.offsets == (512, 1024, 0, 160)
    assert made.head == 1024 + PLAIN


@pytest.mark.parametrize(
    "words", [[1, 0], [1, 0, 6, *PLAN[3:9]], [1, 0, 8, *PLAN[3:], 0], PLAN[:9], [1, 0, 7]]
)
def test_damaged_plan(words):
    with pytest.raises(InputError, match=r"net.tflite: its offline memory plan .* damaged"):
        predict_arena(with_words(words))


def test_plan_of_more_words_than_tensors_counts_as_far_as_it_goes():
    def named(words):
        found = buffers(with_words(words))[:3]
        return [dataclasses.replace(buffer, tensor=buffer.tensor.index) for buffer in found]

    assert named([*PLAN, 99]) == named(PLAN)


def test_align():
    assert [align(size) for size in (0, 1, 15, 16, 17)] == [0, 16, 16, 16, 32]
    assert [align(size, 4) for size in (0, 1, 4, 5)] == [0, 4, 4, 8]
    assert PlannedBuffer(16, 0, 0).offset is None


def test_tensors_while_a_kernel_prepares_by_hand():
    """Scales of each of many channels, in the last operator, take more than planning does."""
    file = File()
    source, target = file.tensor((1, 4)), file.tensor((1, 600), scale=0.2)
    weights = file.constant(np.ones((600, 4)), scale=[0.01] * 600)
    bias = file.constant(np.ones(600), "int32", scale=[0.0005] * 600)
    file.operator("FULLY_CONNECTED", [source, weights, bias], target, options("FullyConnected"))
    model = TfliteModel.parse(file.content([source], [target]))
    for name, tensor, quantization, pointer in (("host", 64, 24, 8), ("cortex_m", 32, 12, 4)):
        made = predict_arena(model, name)
        one, many = ([(tensor, pointer), (quantization, pointer), (4 + 4 * n, 4)] for n in (1, 600))
        border = grown([(pointer, 16), *one, (pointer, 16), *one])
        kept = made.tail - border
        request = 16 if pointer == 8 else 12
        expected = align(kept) + align(12 * request) + align(grown([*one, *many, *many, *one]))
        assert made.setup == expected
        assert made.setup > made.total
