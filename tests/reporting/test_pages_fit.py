"""Pages in a browser without a window: nothing is clipped on a phone, a tablet or a desk."""

import os

import pytest

from tests import fixtures
from tests.browsing import WIDTHS, clipped, visit
from tinyseg.reporting import pages, run_report
from tinyseg.steps.engine_memory import engine_memory
from tinyseg.steps.memory import memory
from tinyseg.tflite import TfliteModel

LONG = "attention_unet_ds_256k/attention3_upsample/resize/ResizeNearestNeighbor/channels" * 2


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """The folder of each page that is made of a small network."""
    folder = tmp_path_factory.mktemp("pages")
    model = TfliteModel.parse(fixtures.quantized(), "a network.tflite")
    memory(model, folder=folder, board="nucleo_h743zi")
    engine_memory(model, folder=folder)
    return folder


def lost(browser, page, wide):
    visit(browser, page, wide)
    found = clipped(browser)
    if folder := os.environ.get("TINYSEG_SCREENSHOTS"):
        browser.save_screenshot(f"{folder}/{page.stem}_{wide}.png")
    return found


@pytest.mark.parametrize("wide", WIDTHS)
@pytest.mark.parametrize("name", ["memory.html", "memory_tinyseg.html"])
def test_memory(name, wide, browser, shown):
    assert lost(browser, shown / name, wide) == []


@pytest.mark.parametrize("wide", WIDTHS)
def test_tables_with_long_names(wide, browser, tmp_path):
    table = {
        "title": LONG,
        "note": f"{LONG} takes it all.",
        "header": ["tensor", *(f"column {n}" for n in range(12))],
        "rows": [[LONG, *("1,234,567 B (1.2 MB)" for _ in range(12))]],
    }
    facts = {"file": f"path/to/{LONG}.tflite"}
    page = pages.render("inside.html", title=LONG, pictures=[])
    path = tmp_path / "inside.html"
    path.write_text(page)
    assert lost(browser, path, wide) == []
    context = {"facts": facts, "tables": [table], "drawing": EMPTY}
    path = tmp_path / "memory.html"
    path.write_text(pages.render("memory.html", **context))
    assert lost(browser, path, wide) == []


EMPTY = {
    "width": 1000, "height": 500, "plot": 400, "boxes": [], "bars": [], "peak_x": 0,
    "peak_width": 1, "bound_y": 10, "left": 64, "bottom": 40, "x_ticks": [("0.5", "0")],
    "y_ticks": [("400", "0"), ("10", "13,728")],
}  # fmt: skip


@pytest.mark.parametrize("wide", WIDTHS)
def test_report_of_a_run(wide, browser, tmp_path, run, examples):
    run["failures"] = [f"build/{LONG}.tflite: Dice falls by 0.2"]
    lines = ["verdict: missed a gate", f"fits with tinyseg's engine: {', '.join(['board'] * 12)}"]
    page, *_ = run_report.write(run, examples, [], tmp_path, lines)
    assert lost(browser, page, wide) == []
