"""Reports from a hand-made run: what is shown is what was given, and nothing is hidden."""

import csv
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from tinyseg.experiments import table
from tinyseg.reporting import numbers, run_report
from tinyseg.reporting.pictures import curves, error_map

HISTORY = [
    {"epoch": "1", "loss": "1.5", "val_loss": "1.4", "image_dice": "0.1", "val_image_dice": "0.2"},
    {"epoch": "2", "loss": "1.0", "val_loss": "1.1", "image_dice": "0.3", "val_image_dice": "0.4"},
]


def test_html_needs_no_network_and_escapes(run, examples, tmp_path):
    html, _, _ = run_report.write(run, examples, HISTORY, tmp_path)
    text = html.read_text()
    assert not re.search(r"(src|href)=\"(?!data:)", text)
    assert text.count("<img") == text.count('src="data:image/') == 4
    assert "tensor &lt;b&gt;3&lt;/b&gt;" in text
    assert "0.9123" in text
    assert "123,456 B" in text
    assert "Passed." in text


def test_json_is_the_run_itself(run, examples, tmp_path):
    *_, values = run_report.write(run, examples, HISTORY, tmp_path)
    assert json.loads(values.read_text()) == run


def test_markdown_tables_are_well_formed(run, examples, tmp_path):
    _, markdown, _ = run_report.write(run, examples, HISTORY, tmp_path)
    lines = markdown.read_text().splitlines()
    for number, line in enumerate(lines):
        if line.startswith("|---"):
            width = lines[number - 1].count("|")
            assert line.count("|") == width
            assert lines[number + 1].count("|") == width
    names = re.findall(r"\]\(([\w.]+)\)", "\n".join(lines))
    assert len(names) == 4
    for name in names:
        Image.open(tmp_path / name).verify()


def test_missing_and_impossible_estimates_are_named(run):
    layers = run_report.tables(run)[-1]
    column = layers["header"].index("cycles (MLTK)")
    cells = [row[column] for row in layers["rows"]]
    assert cells[0] == "no estimate"
    assert cells[1] == "10 (estimate)"
    assert "beats the core's ceiling" in cells[2]
    assert "at least 6" in cells[2]
    assert "no cycle estimate for 1 of 3" in layers["note"]


def test_failures_are_shown(run, tmp_path):
    run["failures"] = ["x.tflite: Dice falls by 0.2"]
    html, markdown, _ = run_report.write(run, [], [], tmp_path)
    for path in (html, markdown):
        assert "Failed." in path.read_text()
        assert "Dice falls by 0.2" in path.read_text()


def test_report_without_profile_or_float_network(run, tmp_path):
    run["profile"] = None
    run["verification"]["dice"]["float"] = run["verification"]["iou"]["float"] = None
    run["verification"]["sqnr"] = []
    html, _, _ = run_report.write(run, [], [], tmp_path)
    assert "Layer by layer" not in html.read_text()


def test_what_ran_on_fewer_images_says_so(run, tmp_path):
    run["verification"]["tflm_images"] = 1
    _, markdown, _ = run_report.write(run, [], [], tmp_path)
    text = markdown.read_text()
    assert "2 verified images on every backend" in text
    assert "Engine, TFLM and TFLite reference bytes equal on 1." in text
    for start in ("| tinyseg's engine | 0.9", "| TFLite Micro, 1 of them | 0.9"):
        assert start in text
    run["verification"].update(engine_images=0, tflm_images=2, bit_exact=False)
    _, markdown, _ = run_report.write(run, [], [], tmp_path)
    assert "TFLM and TFLite reference bytes DIFFER." in markdown.read_text()
    assert "| TFLite, reference kernels | 0.9" in markdown.read_text()


def test_a_board_adds_its_counts_of_each_operator(run, tmp_path):
    run["verification"]["device"] = {
        "board": "mps2_an500", "bit_exact": True, "differing_bytes": 0, "repeatable": True,
        "unit": "instructions", "work": [1000, 2000], "operator_work": [111, 222, 333],
        "arena_used": 4567, "arena_size": 5000, "stack_used": 890, "stack_size": 2048,
    }  # fmt: skip
    run["verification"]["dice"]["device"] = run["verification"]["iou"]["device"] = 0.77
    _, markdown, _ = run_report.write(run, [], [], tmp_path)
    text = markdown.read_text()
    assert "instructions (mps2_an500)" in text
    assert "Those of mps2_an500 equal." in text
    assert "1,500" in text
    assert "4,567" in text
    rows = [line for line in text.splitlines() if line.startswith(("| 0 |", "| 1 |", "| 2 |"))]
    assert all(number in row for number, row in zip(("111", "222", "333"), rows, strict=True))


@pytest.mark.parametrize(
    ("scores", "panels"),
    [
        (("image_dice", "val_image_dice", "val_loss"), 2),
        (("accuracy",), 2),
        (("val_image_dice", "val_loss"), 2),  # A student of soft masks.
        ((), 1),  # The same without images for validation.
    ],
)
def test_curves_show_what_was_recorded(scores, panels):
    history = [
        {"epoch": str(epoch), "loss": "0.5", **dict.fromkeys(scores, "0.25")} for epoch in (1, 2)
    ]
    width, _ = Image.open(io.BytesIO(curves(history))).size
    loss_alone, _ = Image.open(io.BytesIO(curves([{"epoch": "1", "loss": "0.5"}]))).size
    assert round(width / loss_alone) == panels


def test_error_map_colours_each_kind():
    truth = np.array([[True, True, False, False]])
    mask = np.array([[True, False, True, False]])
    hit, missed, false, nothing = error_map(np.full((1, 4), 0.5), truth, mask)[0]
    assert hit.argmax() == 1
    assert missed.argmax() == 2
    assert false.argmax() == 0
    np.testing.assert_array_equal(nothing, 0.5)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (999, "999 B"),
        (13_728_912, "13,728,912 B (13.7 MB)"),
        (2_048, "2,048 B (2.0 kB)"),
        (None, "-"),
    ],
)
def test_sizes(value, text):
    assert numbers.size(value) == text


def test_overview_has_a_row_a_network(run):
    lines = table.overview([{**run, "boards": ["one_board", "another"]}]).splitlines()
    cells = dict(zip(*(line.strip("| ").split(" | ") for line in lines[::2]), strict=True))
    assert cells["Dice int8"] == "0.9123"
    assert cells["tensor arena (kB)"] == "123"
    assert cells["fits"] == "2 boards"


def test_profile_csv_has_a_row_a_layer(run, tmp_path):
    from tinyseg.profiling import mltk

    paths = mltk.write(_with_all_bounds(run["profile"]), "text\n", tmp_path, "net")
    with paths[2].open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["macs"] for row in rows] == ["12", "12", "12"]
    assert [row["cycles"] for row in rows] == ["", "10", "3"]


def _with_all_bounds(profile):
    from tinyseg.profiling.roofline import CORES

    for layer in profile["layers"]:
        layer["bound_cycles"] = dict.fromkeys(CORES, 1)
    return profile


def test_what_watched_the_training_is_a_table(run):
    assert "Training" not in {found["title"] for found in run_report.tables(run)}
    finding = {"rule": "dead_relu", "layer": "a", "value": 0.9, "says": "90% of its units are dead"}
    run["watched"] = {
        "preset": "calm",
        "found": [{**finding, "epoch": 2}, {**finding, "epoch": 5, "layer": "b"}],
        "rules": {"dead_relu": {"cure": "lower the rate"}},
    }
    made = run_report.tables(run)[-1]
    assert made["title"] == "Training"
    assert made["rows"] == [
        ["dead_relu", "2 to 5", "a, b", "90% of its units are dead", "lower the rate"]
    ]
    run["watched"]["found"] = []
    assert "None found anything." in run_report.tables(run)[-1]["note"]
