"""``tinyseg memory --engine tinyseg``: figures, page and picture of a small network's rows."""

import contextlib
import itertools
import json
import re
import xml.etree.ElementTree as ElementTree

import pytest

from tests import fixtures
from tests.in_process import tinyseg
from tinyseg.engine.compiler import compile_model
from tinyseg.engine.schedule import simulate
from tinyseg.reporting import rows_chart
from tinyseg.steps.engine_memory import engine_memory
from tinyseg.tflite import TfliteModel

SIZE = 32


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows")
    content = fixtures.quantized("static_wi8_ai8", "integer", base_width=4, size=SIZE)
    (folder / "small net.tflite").write_bytes(content)
    with contextlib.chdir(folder):
        yield folder / "small net.tflite"


def planned(path, *options):
    result = tinyseg("memory", path, "--engine", "tinyseg", "--json", *options)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def values(path):
    return planned(path, "--measure", "--front")


def test_planned_memory_is_what_is_written(values):
    assert values["measured"]["ram_bytes"] == values["ram_bytes"]
    least = values["live_bytes"] + values["state_bytes"] + values["scratch_bytes"]
    assert least <= values["ram_bytes"] <= 1.2 * least
    assert max(values["live"]) == values["live_bytes"] == values["live"][values["peak"]["step"]]
    assert sum(t["size_bytes"] for t in values["peak"]["tensors"]) == values["live_bytes"]


def test_figures_are_those_of_the_schedule(path, values):
    schedule = simulate(compile_model(TfliteModel.read(path)))
    assert values["macs"] == schedule.macs
    assert values["work"] == 1
    assert len(values["live"]) == schedule.steps == sum(len(n["rows"]) for n in values["nodes"])


def test_rows_alive_at_the_same_time_lie_apart(values):
    for step in range(0, len(values["live"]), 50):
        spans = sorted(
            (row[4], row[4] + node["row_bytes"])
            for node in values["nodes"]
            for row in node["rows"]
            if row[1] <= step <= row[2]
        )
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))


def test_front_trades_memory_for_work(path, values):
    front = values["front"]
    assert front[0]["work"] == 1
    assert front[0]["ram_bytes"] == values["ram_bytes"]
    assert len(front) > 1
    for before, after in itertools.pairwise(front):
        assert before["work"] < after["work"]
        assert before["live_bytes"] > after["live_bytes"]
    most = front[-1]
    less = planned(path, "--max-work", "1.3")
    assert (less["ram_bytes"], less["work"]) == (most["ram_bytes"], most["work"])
    assert less["macs"] == most["macs"]


def test_a_board_has_several_memories(path):
    values = planned(path, "--board", "nucleo_h743zi")
    assert [r["memory"] for r in values["regions"]][:2] == ["AXISRAM", "SRAM123"]
    assert all(r["used_bytes"] <= r["available_bytes"] for r in values["regions"])
    assert sum(r["used_bytes"] for r in values["regions"]) == values["ram_bytes"]


def test_the_same_file_gives_the_same_bytes(path, tmp_path):
    made = [
        [p.read_bytes() for p in engine_memory(TfliteModel.read(path), folder=folder).files]
        for folder in (tmp_path / "one", tmp_path / "two")
    ]
    assert made[0] == made[1]


def test_page_stands_alone_and_numbers_its_axes(values, tmp_path):
    page, picture = rows_chart.write(values, tmp_path)
    html = page.read_text()
    assert "http" not in html
    assert "<script" not in html
    drawing = ElementTree.fromstring(html[html.index("<svg") : html.index("</svg>") + 6])
    paths = [path for path in drawing.iter("path") if path.get("fill")]
    assert len(paths) == len(values["nodes"])
    for path, node in zip(paths, values["nodes"], strict=True):
        assert len(re.findall("M", path.get("d"))) == len(node["rows"])
    numbers = [text.text for text in drawing.iter("text")]
    assert numbers.count("0") == 3
    assert "Less memory for more work" in html
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_table_tells_planned_and_measured(path):
    result = tinyseg("memory", path, "--engine", "tinyseg", "--measure")
    assert result.returncode == 0, result.stderr
    assert "measured by the engine on this machine" in result.stdout
    assert "Alive at the peak" in result.stdout


@pytest.mark.arm
def test_emulated_board_uses_what_is_planned(path):
    values = planned(path, "--board", "mps2_an500", "--measure", "--max-work", "1.3")
    assert values["measured"]["by"] == "mps2_an500"
    assert values["measured"]["ram_bytes"] == values["ram_bytes"]
    assert 500 < values["measured"]["stack_bytes"] < 6 << 10


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--engine", "tinyseg", "--passes"], "take --front"),
        (["--front"], "need --engine tinyseg"),
        (["--max-work", "1.1"], "need --engine tinyseg"),
        (["--engine", "tinyseg", "--measure", "--target", "cortex_m"], "add --board"),
        (["--engine", "tinyseg", "--board", "nonesuch"], "'nonesuch' is unknown"),
    ],
)
def test_wrong_options_end_in_one_line(path, options, words):
    result = tinyseg("memory", path, *options)
    assert result.returncode == 2
    (line,) = result.stderr.strip().splitlines()
    assert words in line
