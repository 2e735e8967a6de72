"""Files as C++: compiled and run on this machine, they say what zlib, hashlib and NumPy say."""

import hashlib
import json
import shutil
import zlib
from fractions import Fraction

import numpy as np
import pytest

from tests import fixtures
from tests.boards.exports import ARENA, PLAIN, constant, run_cpp, single
from tests.fixtures import Draft
from tinyseg.boards.c_source import FILES, ArenaSize, export
from tinyseg.errors import InputError
from tinyseg.plan import PreprocessingPlan
from tinyseg.tflite import TfliteModel

KINDS = [
    ("static_wi8_ai8", "integer", "int8"),
    ("static_wi8_ai16", "integer", "int16"),
    ("static_wi8_ai8", "float32", "float32"),
]


def values(printed, dtype):
    return np.frombuffer(bytes.fromhex(printed), dtype)


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
