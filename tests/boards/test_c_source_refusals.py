"""C source: hostile names, files that are refused, bytes of arena."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import fixtures
from tests.boards.exports import ARENA, PLAIN, constant, run_cpp, single
from tests.fixtures import Draft, one_operator
from tinyseg.boards.c_source import MARGIN, ArenaSize, export
from tinyseg.errors import InputError
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.arena.memory import predict_arena

HOSTILE = [
    'quo"te', "back\\", "new\nline", "*/", "??/", "%s%n", "{{ 7 * 7 }}", "\u00fcml\u00e4ut", "a b",
    "\\u00e9", "x" * 200,
]  # fmt: skip


@pytest.mark.arm
@pytest.mark.parametrize("name", HOSTILE, ids=map(ascii, HOSTILE))
def test_names_cannot_break_the_source(tmp_path, name):
    export(single(Draft((1, 4, 4, 1))), PLAIN, ARENA, tmp_path, name)
    told = bytes.fromhex(run_cpp(tmp_path)["name"]).decode("ascii")
    plain = [letter if letter.isascii() and letter.isalnum() else "_" for letter in name]
    assert told == "".join(plain)[:64] + "\0"
    # model_ops.h needs TensorFlow's headers: only its comments can suffer.
    operators = (tmp_path / "model_ops.h").read_text().splitlines()
    assert operators[0].startswith("// ")
    assert operators[1] == "#ifndef MODEL_OPS_H_"


def test_ordinary_names_stay_as_they_are(tmp_path):
    export(single(Draft((1, 4, 4, 1))), PLAIN, ARENA, tmp_path, "my-net_v1.2")
    assert constant(tmp_path, "kModelName[]") == '"my-net_v1.2"'


def custom(name, path):
    draft = Draft((1, 4, 4, 1))
    return TfliteModel.parse(one_operator("CUSTOM", [draft], draft, custom=name), path)


@pytest.mark.parametrize("opcode", ["TILE", "GELU", "POW"])
def test_operator_that_tflm_lacks_is_named(tmp_path, opcode):
    with pytest.raises(InputError) as caught:
        export(single(Draft((1, 4, 4, 1)), opcode=opcode), PLAIN, ARENA, tmp_path, "one")
    assert str(caught.value) == f"one.tflite: the firmware has no operator {opcode}"
    assert not list(tmp_path.iterdir())


def test_custom_operator_of_others_is_named(tmp_path):
    with pytest.raises(InputError, match=r"x\.tflite: the firmware has no operator FlexErf"):
        export(custom("FlexErf", "x.tflite"), PLAIN, ARENA, tmp_path, "x")


def test_our_own_operator_is_included(tmp_path):
    export(custom("TINYSEG_BINARY_CONV_2D", "x.tflite"), PLAIN, ARENA, tmp_path, "x")
    text = (tmp_path / "model_ops.h").read_text()
    assert '#include "ops/binary_conv_tflm.h"' in text
    assert "AddCustom(tinyseg::kBinaryConvName, tinyseg::RegisterBinaryConv())" in text


@pytest.mark.parametrize(
    ("inputs", "output", "reason"),
    [
        ([Draft((1, 2, 2, 2, 2))], Draft((1, 2, 2, 2, 2)), "not one image"),
        ([Draft((2, 4, 4, 1))], Draft((2, 4, 4, 1)), "is a batch of 2; export with a batch of 1"),
        ([Draft((1, 4, 4, 1))] * 2, Draft((1, 4, 4, 1)), "2 inputs and 1 outputs"),
        ([Draft((1, 4, 4, 1), "uint8")], Draft((1, 4, 4, 1)), "type uint8"),
        ([Draft((1, 4, 4, 1))], Draft((1, 4, 4, 1), "int64"), "type int64"),
    ],
)
def test_files_that_are_no_image_to_mask(tmp_path, inputs, output, reason):
    opcode = "RELU" if len(inputs) == 1 else "ADD"
    model = TfliteModel.parse(one_operator(opcode, inputs, output), "one.tflite")
    with pytest.raises(InputError) as caught:
        export(model, PLAIN, ARENA, tmp_path, "one")
    assert str(caught.value).startswith("one.tflite: ")
    assert reason in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("shape", "preprocessing", "frame"),
    [
        ((1, 16), None, (1, 1, 16)),
        ((1, 8, 6), PLAIN, (8, 6, 1)),
        ((1, 8, 6, 3), PLAIN, (8, 6, 3)),
    ],
)
def test_matrices_are_images_of_one_channel(tmp_path, shape, preprocessing, frame):
    export(single(Draft(shape)), preprocessing, ARENA, tmp_path, "one")
    sides = [constant(tmp_path, f"kModelInput{side}") for side in ("Height", "Width", "Channels")]
    assert [int(side) for side in sides] == list(frame)


def test_damaged_file_is_not_exported(tmp_path):
    good = TfliteModel.parse(fixtures.quantized())
    damaged = bytearray(good.content)
    damaged[good.content.index(good.operators[1].inputs[1].data)] ^= 1
    with pytest.raises(InputError, match="checksum"):
        export(TfliteModel.parse(bytes(damaged), "x.tflite"), PLAIN, ARENA, tmp_path, "x")


def test_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write here"):
        export(single(Draft((1, 4, 4, 1))), PLAIN, ARENA, tmp_path / "file" / "c", "one")


@given(st.integers(1 << 16, 1 << 30))
def test_arena_is_rounded_up_with_a_margin(measured):
    model = single(Draft((1, 4, 4, 1)))
    for size in (
        ArenaSize.on_device(measured, "mps2_an500", 0),
        ArenaSize.on_host(measured, model),
    ):
        assert size.measured == measured
        assert size.size % 16 == 0
        assert 0 <= size.size - measured - MARGIN < 16
    assert "mps2_an500" in ArenaSize.on_device(measured, "mps2_an500", 0).source


def test_arena_is_never_smaller_than_tflm_needs_to_plan_it():
    needed = predict_arena(single(Draft((1, 4, 4, 1)))).needed
    for size in (
        ArenaSize.on_device(16, "mps2_an500", needed),
        ArenaSize.on_host(16, single(Draft((1, 4, 4, 1)))),
    ):
        assert 0 <= size.size - needed - MARGIN < 16


@pytest.mark.parametrize("target", ["host", "cortex_m", "cortex_m55"])
def test_predicted_arena_has_no_margin(target):
    model = single(Draft((1, 4, 4, 1)))
    predicted = predict_arena(model, target)
    size = ArenaSize.predicted(model, target, "some_board")
    assert size.measured == predicted.total
    assert size.size % 16 == 0
    assert 0 <= size.size - predicted.needed < 16
    assert size.source == f"{predicted.total:,} predicted for some_board"


def test_arena_measured_on_the_host_has_room_for_cmsis_nn():
    """arm_convolve_s8 asks for two columns of int16: 2 * 2 * height * width * channels."""
    kernel = Draft((8, 3, 3, 16), "int8", np.ones((8, 3, 3, 16), np.int8))
    content = one_operator("CONV_2D", [Draft((1, 9, 9, 16)), kernel], Draft((1, 9, 9, 8)))
    size = ArenaSize.on_host(5000, TfliteModel.parse(content))
    assert size.size >= 5000 + MARGIN + 2 * 2 * 3 * 3 * 16
