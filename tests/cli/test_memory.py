"""``tinyseg memory`` as a user meets it, and what it draws."""

import json
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from tests import commands, fixtures
from tests.commands import tinyseg
from tinyseg.reporting import memory_chart
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.arena.memory import facts, predict_arena


def assert_bad_input(result, *words):
    commands.assert_bad_input(result, *words)
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.fixture(scope="module")
def content():
    return fixtures.quantized()


@pytest.fixture(scope="module")
def values(content):
    model = TfliteModel.parse(content, "net.tflite")
    return facts(model, predict_arena(model))


@pytest.fixture
def path(content, tmp_path):
    path = tmp_path / "my model.tflite"
    path.write_bytes(content)
    return path


def test_prediction_beside_the_measurement(path, tmp_path):
    result = tinyseg("memory", path, "--measure", "--json", "-o", "made", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    printed = json.loads(result.stdout)
    measured = printed["measured"]
    assert measured["by"] == "TFLM on this machine"
    for key in ("total_bytes", "head_bytes", "tail_bytes"):
        assert measured[key] == printed[key]
    assert {p.name for p in (tmp_path / "made").iterdir()} == {"memory.html", "memory.png"}


def test_table_names_the_peak_and_its_tensors(path, values, tmp_path):
    result = tinyseg("memory", path, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    peak = values["peak"]
    for number in (values["total_bytes"], values["lower_bound_bytes"], peak["live_bytes"]):
        assert f"{number:,}" in result.stdout
    for word in (peak["opcode"], f"'{peak['layer']}'", f"operator {peak['operator']} "):
        assert word in result.stdout
    for row in peak["tensors"]:
        assert row["name"].split(";")[0] in result.stdout
    assert "measured" not in result.stdout
    assert (tmp_path / "build" / "memory" / "memory.html").is_file()


@pytest.mark.parametrize(
    ("options", "target"),
    [
        (["--target", "cortex_m55"], "cortex_m55"),
        (["--board", "mps3_an547"], "cortex_m55"),
        (["--board", "nucleo_h743zi"], "cortex_m"),
    ],
)
def test_targets_and_boards(path, content, tmp_path, options, target):
    result = tinyseg("memory", path, *options, "--json", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    printed = json.loads(result.stdout)
    assert printed["target"] == target
    assert printed["total_bytes"] == predict_arena(TfliteModel.parse(content), target).total


def test_operator_without_a_kernel_is_refused(tmp_path):
    draft = fixtures.Draft([1, 4])
    path = tmp_path / "flex.tflite"
    path.write_bytes(fixtures.one_operator("CUSTOM", [draft], draft, custom="FlexErf"))
    assert_bad_input(tinyseg("memory", path, cwd=tmp_path), "flex.tflite: operator 0 FlexErf")


def test_what_nobody_counted_is_a_warning(tmp_path):
    draft = fixtures.Draft([1, 16], "int16")
    path = tmp_path / "signal.tflite"
    path.write_bytes(fixtures.one_operator("CUSTOM", [draft], draft, custom="SignalWindow"))
    result = tinyseg("memory", path, cwd=tmp_path)
    assert result.returncode == 0
    assert result.stderr.startswith("warning: at least so much: nobody counted what SignalWindow")


def damaged(content):
    weights = max((t.data or b"" for t in TfliteModel.parse(content).tensors), key=len)
    flipped = bytearray(content)
    flipped[content.index(weights) + len(weights) // 2] ^= 0x10
    yield "header", b"\x18\0\0\0TFL3"
    yield "empty", b""
    yield "text", b"not a model at all"
    yield "truncated", content[: len(content) // 2]
    yield "flipped", bytes(flipped)

    def changed(change):
        model = fixtures.unpack(content)
        change(model, model.subgraphs[0])
        return fixtures.pack(model)

    yield "version", changed(lambda model, graph: setattr(model, "version", 2))
    yield "buffer", changed(lambda model, graph: setattr(graph.tensors[5], "buffer", 9999))
    yield "huge", changed(lambda model, graph: setattr(graph.tensors[0], "shape", [1 << 20] * 4))
    yield "dynamic", changed(lambda model, graph: setattr(graph.tensors[0], "shape", [1, -1, 9, 3]))
    yield (
        "scale",
        changed(lambda model, graph: setattr(graph.tensors[0].quantization, "scale", [0.0])),
    )
    yield "subgraphs", changed(lambda model, graph: model.subgraphs.append(graph))


def test_damaged_files_end_in_one_line(content, tmp_path):
    for name, broken in damaged(content):
        path = tmp_path / f"{name}.tflite"
        path.write_bytes(broken)
        assert_bad_input(tinyseg("memory", path, cwd=tmp_path), path.name)
    assert not (tmp_path / "build").exists()


def test_wrong_arguments(path, tmp_path):
    cases = [
        (["missing.tflite"], ["missing.tflite"]),
        (["nonet"], ["nonet", "tinyseg quantize"]),
        ([path, "--target", "cray"], ["cray"]),
        ([path, "--board", "cray"], ["cray"]),
        ([path, "--measure", "--target", "cortex_m"], ["--board"]),
    ]
    for arguments, words in cases:
        assert_bad_input(tinyseg("memory", *arguments, cwd=tmp_path), *words)


def test_page_stands_alone_and_draws_every_buffer(values, tmp_path):
    savings = [("write concatenations in place", 4096), ("<none>", 0)]
    page, picture = memory_chart.write(values, tmp_path, savings)
    html = page.read_text()
    assert "http" not in html.replace("http-equiv", "")
    assert "<script" not in html
    drawing = html[html.index("<svg") : html.index("</svg>") + 6]
    boxes = [box for box in ElementTree.fromstring(drawing).iter("rect") if box.get("fill")]
    assert len(boxes) == len(values["buffers"])
    for box, row in zip(boxes, values["buffers"], strict=True):
        assert box.find("title").text.startswith(row["name"])
        assert float(box.get("width")) > 0
        assert float(box.get("y")) >= -0.01
        assert float(box.get("y")) + float(box.get("height")) <= 420.01
    assert "What each pass would save" in html
    assert "write concatenations in place" in html
    assert "&lt;none&gt;" in html
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_without_savings_there_is_no_table_of_them(values, tmp_path):
    page, _ = memory_chart.write(values, tmp_path)
    assert "What each pass would save" not in page.read_text()


def test_equal_facts_give_equal_pictures(values):
    assert memory_chart.picture(values) == memory_chart.picture(values)


def test_one_layer_has_one_colour_and_scratch_is_grey(values):
    colours = {}
    for row in values["buffers"]:
        shade = memory_chart.colour(row)
        if row["shape"] is None:
            assert np.ptp([int(shade[i : i + 2], 16) for i in (1, 3, 5)]) < 32
        else:
            assert colours.setdefault(row["layer"], shade) == shade
    assert len(set(colours.values())) > len(colours) / 2


def test_savings_of_passes(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(fixtures.quantized(io="float32"))
    result = tinyseg("memory", path, "--passes", "--json", "-o", tmp_path, cwd=tmp_path)
    values = json.loads(result.stdout)
    saved = {row["pass"]: row["bytes"] for row in values["savings"]}
    assert saved["transposed_convolutions"] > 0
    assert 0 < sum(saved.values()) < values["total_bytes"]
    assert "transposed_convolutions" in (tmp_path / "memory.html").read_text()
