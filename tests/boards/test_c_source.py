"""Files as C++: compiled and run on this machine, they say what zlib, hashlib and NumPy say."""

import hashlib
import json
import shutil
import subprocess
import zlib
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import fixtures
from tests.fixtures import Draft, one_operator
from tinyseg.boards.c_source import FILES, MARGIN, ArenaSize, export
from tinyseg.errors import InputError
from tinyseg.plan import PreprocessingPlan
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.arena.memory import predict

PLAIN = PreprocessingPlan(height=fixtures.SIZE, width=fixtures.SIZE)
ARENA = ArenaSize(10_000, 11_024, "10,000 measured by hand")
KINDS = [
    ("static_wi8_ai8", "integer", "int8"),
    ("static_wi8_ai16", "integer", "int16"),
    ("static_wi8_ai8", "float32", "float32"),
]
# Names, so that a missing constant is a compiler's error and a wrong one a different number.
PROGRAM = r"""
#include <cinttypes>
#include <cstdio>

#include "model_data.h"

static void PrintBytes(const char* name, const void* data, unsigned size) {
  std::printf("\"%s\": \"", name);
  for (unsigned i = 0; i < size; ++i) {
    std::printf("%02x", static_cast<const unsigned char*>(data)[i]);
  }
  std::printf("\",\n");
}

static void PrintNumber(const char* name, uint64_t value) {
  std::printf("\"%s\": %" PRIu64 ",\n", name, value);
}

int main() {
  std::printf("{");
  PrintBytes("name", kModelName, sizeof(kModelName));
  PrintBytes("content", g_model, g_model_len);
  PrintBytes("sha256", kModelSha256, sizeof(kModelSha256));
  PrintBytes("table", kModelInputTable, sizeof(kModelInputTable));
  PrintBytes("threshold", &kModelMaskThreshold, sizeof(kModelMaskThreshold));
  PrintBytes("scales", &kModelInputScale, sizeof(float));
  PrintBytes("output_scale", &kModelOutputScale, sizeof(float));
  PrintNumber("length", g_model_len);
  PrintNumber("crc32", kModelCrc32);
  PrintNumber("misaligned", reinterpret_cast<uintptr_t>(g_model) % 16);
  PrintNumber("arena", kModelArenaSize);
  PrintNumber("measured", kModelArenaMeasured);
  PrintNumber("input_elements", kModelInputElements);
  PrintNumber("height", kModelInputHeight);
  PrintNumber("width", kModelInputWidth);
  PrintNumber("channels", kModelInputChannels);
  PrintNumber("output_elements", kModelOutputElements);
  PrintNumber("operators", kModelOperatorCount);
  PrintNumber("input_type", kModelInputType);
  PrintNumber("output_type", kModelOutputType);
  std::printf("\"input_zero_point\": %d,\n", static_cast<int>(kModelInputZeroPoint));
  std::printf("\"output_zero_point\": %d}\n", static_cast<int>(kModelOutputZeroPoint));
}
"""


def run_cpp(folder):
    """Compile the exported files with a program that prints them, and run it."""
    (folder / "main.cc").write_text(PROGRAM)
    command = ["g++", "-std=c++17", "-pedantic", "-Wall", "-Wextra", "-Werror", "main.cc"]
    compiled = subprocess.run(
        [*command, "model_data.cc", "-o", "main"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert compiled.returncode == 0, compiled.stderr[:2000]
    printed = subprocess.run([folder / "main"], capture_output=True, text=True, check=True)
    return json.loads(printed.stdout)


def values(printed, dtype):
    return np.frombuffer(bytes.fromhex(printed), dtype)


def single(draft, out=None, path="one.tflite", opcode="RELU"):
    return TfliteModel.parse(one_operator(opcode, [draft], out or draft), path)


@pytest.fixture(scope="module", params=KINDS, ids=[kind[2] for kind in KINDS])
def exported(request, tmp_path_factory):
    recipe, io, dtype = request.param
    if not shutil.which("g++"):
        pytest.skip("g++ is missing: make toolchain")
    model = TfliteModel.parse(fixtures.quantized(recipe, io))
    folder = tmp_path_factory.mktemp(dtype)
    paths = export(model, PLAIN, ARENA, folder, "small")
    assert paths == [folder / name for name in FILES]
    return model, dtype, run_cpp(folder)


@pytest.mark.arm
def test_content_and_checksums(exported):
    model, _, printed = exported
    assert bytes.fromhex(printed["content"]) == model.content
    assert printed["length"] == len(model.content)
    assert printed["crc32"] == zlib.crc32(model.content)
    assert printed["sha256"] == hashlib.sha256(model.content).hexdigest()
    assert printed["misaligned"] == 0


@pytest.mark.arm
def test_sizes_and_types(exported):
    model, dtype, printed = exported
    assert bytes.fromhex(printed["name"]) == b"small\0"
    assert (printed["measured"], printed["arena"]) == (10_000, 11_024)
    assert (printed["height"], printed["width"], printed["channels"]) == (32, 32, 3)
    assert (printed["input_elements"], printed["output_elements"]) == (3072, 1024)
    code = {"int8": 1, "int16": 2, "float32": 3}[dtype]
    assert (printed["input_type"], printed["output_type"]) == (code, code)
    assert printed["operators"] == len(model.operators)


@pytest.mark.arm
def test_quantization_is_that_of_tensorflow_lite(exported):
    model, dtype, printed = exported
    reference = fixtures.interpreter(model.content)
    ends = reference.get_input_details()[0], reference.get_output_details()[0]
    names = ("scales", "input_zero_point"), ("output_scale", "output_zero_point")
    for details, (scale, zero_point) in zip(ends, names, strict=True):
        expected = details["quantization"] if dtype != "float32" else (1.0, 0)
        assert values(printed[scale], np.float32)[0] == np.float32(expected[0])
        assert printed[zero_point] == expected[1]


def quantize_pixel(pixel, preprocessing, scale, zero_point, limits):
    """As a device would from the definition: float32 steps, then a half goes away from zero."""
    step = np.float32
    normalised = step(pixel) * step(preprocessing.scale) + step(preprocessing.offset)
    scaled = Fraction(float(normalised / step(scale)))
    rounded = int(abs(scaled) + Fraction(1, 2)) * (1 if scaled >= 0 else -1)
    return min(max(rounded + zero_point, limits.min), limits.max)


@pytest.mark.arm
def test_table_holds_the_stored_input_of_each_pixel(exported):
    model, dtype, printed = exported
    table = values(printed["table"], dtype)
    assert table.shape == (256,)
    if dtype == "float32":
        expected = np.arange(256, dtype=np.float32) * np.float32(1 / 255)
        assert table.tobytes() == expected.tobytes()
        return
    (scale,), (zero_point,) = model.inputs[0].scales, model.inputs[0].zero_points
    expected = [
        quantize_pixel(pixel, PLAIN, scale, int(zero_point), np.iinfo(dtype))
        for pixel in range(256)
    ]
    assert table.tolist() == expected
    assert len(set(expected)) > 200


def foreground(stored, scale, zero_point, threshold):
    """Dequantized in float32, as TensorFlow Lite does, and compared in float32."""
    real = (stored.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)
    return real > np.float32(threshold)


@pytest.mark.arm
def test_threshold_divides_all_stored_outputs(exported):
    model, dtype, printed = exported
    (limit,) = values(printed["threshold"], dtype)
    if dtype == "float32":
        assert limit == np.float32(0.5)
        return
    limits = np.iinfo(dtype)
    stored = np.arange(limits.min, limits.max + 1).astype(dtype)
    output = model.outputs[0]
    expected = foreground(stored, output.scales[0], output.zero_points[0], 0.5)
    np.testing.assert_array_equal(stored > limit, expected)
    assert 0 < expected.sum() < len(stored)


def constant(folder, name):
    """A constant's text in the exported header."""
    text = (folder / "model_data.h").read_text()
    return text.partition(f" {name} = ")[2].partition(";")[0]


@pytest.mark.parametrize("threshold", [0.0, 0.1, 0.3, 0.5, 0.7, 0.99, 0.995, -0.25])
@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize(("scale", "zero_point"), [(1 / 256, -128), (0.1, 3), (0.0117, -7)])
def test_any_threshold_divides_all_stored_outputs(tmp_path, threshold, dtype, scale, zero_point):
    if dtype == "int16":
        scale, zero_point = scale / 256, 0
    out = Draft((1, 4, 4, 1), dtype, scale=scale, zero_point=zero_point)
    model = single(Draft((1, 4, 4, 1), dtype), out)
    limits = np.iinfo(dtype)
    stored = np.arange(limits.min, limits.max + 1).astype(dtype)
    expected = foreground(stored, scale, zero_point, threshold)
    preprocessing = PreprocessingPlan(threshold=threshold)
    if expected.all():
        with pytest.raises(InputError, match=r"one\.tflite: every output is above the threshold"):
            export(model, preprocessing, ARENA, tmp_path, "one")
        return
    export(model, preprocessing, ARENA, tmp_path, "one")
    limit = int(constant(tmp_path, "kModelMaskThreshold"))
    np.testing.assert_array_equal(stored > limit, expected)


def test_threshold_above_all_outputs_leaves_no_foreground(tmp_path):
    model = single(Draft((1, 4, 4, 1)), Draft((1, 4, 4, 1), scale=1 / 256, zero_point=-128))
    export(model, PreprocessingPlan(threshold=1.0), ARENA, tmp_path, "one")
    assert constant(tmp_path, "kModelMaskThreshold") == "127"


@pytest.mark.parametrize(
    ("scale", "offset"), [(1 / 127.5, -1.0), (1.0, 0.0), (-1 / 255, 1.0), (0.01, -0.3)]
)
def test_table_follows_the_preprocessing(tmp_path, scale, offset):
    preprocessing = PreprocessingPlan(scale=scale, offset=offset)
    model = single(Draft((1, 4, 4, 1), scale=0.0123, zero_point=5))
    export(model, preprocessing, ARENA, tmp_path, "one")
    table = constant(tmp_path, "kModelInputTable[256]")
    expected = [
        quantize_pixel(pixel, preprocessing, 0.0123, 5, np.iinfo("int8")) for pixel in range(256)
    ]
    assert json.loads(f"[{table.strip('{} ')}]") == expected


def contents(folder):
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


def test_second_export_changes_nothing(tmp_path):
    model = TfliteModel.parse(fixtures.quantized())
    export(model, PLAIN, ARENA, tmp_path, "small")
    first = contents(tmp_path)
    assert set(first) == set(FILES)
    export(model, PLAIN, ARENA, tmp_path, "small")
    assert contents(tmp_path) == first


def test_another_arena_leaves_the_large_file_alone(tmp_path):
    """So that only what includes the header is compiled again."""
    model = TfliteModel.parse(fixtures.quantized())
    export(model, PLAIN, ARENA, tmp_path, "small")
    first = contents(tmp_path)
    export(model, PLAIN, ArenaSize(1, 16, "guessed"), tmp_path, "small")
    second = contents(tmp_path)
    assert [name for name in FILES if second[name] != first[name]] == ["model_data.h"]
    assert constant(tmp_path, "kModelArenaSize") == "16"


def test_exports_to_different_folders_are_equal(tmp_path):
    for name in ("a", "b"):
        model = TfliteModel.parse(fixtures.quantized(), f"/somewhere/{name}/small.tflite")
        export(model, PLAIN, ARENA, tmp_path / name, "small")
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_each_operator_is_registered_once(tmp_path):
    model = TfliteModel.parse(fixtures.quantized())
    export(model, PLAIN, ARENA, tmp_path, "small")
    text = (tmp_path / "model_ops.h").read_text()
    calls = [line.split("->")[1].split("(")[0] for line in text.splitlines() if "->Add" in line]
    kinds = len(set(model.opcodes))
    assert len(calls) == len(set(calls)) == kinds
    assert f"MicroMutableOpResolver<{kinds}>" in text
    assert "binary_conv" not in text


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
        ([Draft((1, 4, 4, 1))], Draft((1, 4, 4, 1), "int32"), "type int32"),
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
    needed = predict(single(Draft((1, 4, 4, 1)))).needed
    for size in (
        ArenaSize.on_device(16, "mps2_an500", needed),
        ArenaSize.on_host(16, single(Draft((1, 4, 4, 1)))),
    ):
        assert 0 <= size.size - needed - MARGIN < 16


@pytest.mark.parametrize("target", ["host", "cortex_m", "cortex_m55"])
def test_predicted_arena_has_no_margin(target):
    model = single(Draft((1, 4, 4, 1)))
    predicted = predict(model, target)
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
