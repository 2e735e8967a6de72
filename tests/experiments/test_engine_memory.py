"""The table of what published networks take on our own engine."""

import json
from pathlib import Path

from tinyseg.experiments.engine_memory import table

PAGE = Path(__file__).parents[2] / "docs/experiments/engine_memory"
ROW = {
    "file": "net/phantom",
    "tflm_bytes": 339_000,
    "program_bytes": 50_000,
    "front": [
        {"work": 1.0, "ram_bytes": 80_000},
        {"work": 1.055, "ram_bytes": 52_000},
        {"work": 1.25, "ram_bytes": 41_000},
    ],
}


def test_each_column_has_the_least_memory_that_its_work_leaves():
    cells = [cell.strip() for cell in table([ROW]).splitlines()[2].strip("|").split("|")]
    assert cells == [
        "`net/phantom`", "339,000", "80,000 (1.000)", "52,000 (1.055)", "52,000 (1.055)",
        "41,000 (1.250)", "50,000",
    ]  # fmt: skip


def test_page_shows_the_stored_figures():
    rows = json.loads(PAGE.with_suffix(".json").read_text())
    assert table(rows) in PAGE.with_suffix(".md").read_text()
    assert len(rows) >= 7
