"""What lies in models/ is whole, and the README shows it."""

import shutil
from pathlib import Path

import pytest

from tinyseg import files, plan
from tinyseg.experiments import table
from tinyseg.scoring.scores import lesions
from tinyseg.steps.budget import boards_that_hold
from tinyseg.steps.publish import model_card
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.lint import usable
from tinyseg.tflite.packing import unpacked

ROOT = Path(__file__).parents[2]
MODELS = sorted(path.parent for path in (ROOT / "models").glob("*/*/plan.json"))


def test_tables_show_the_published_figures():
    for path, text in table.wanted(ROOT).items():
        assert path.read_text() == text, f"{path.name}: run 'make table'"


def test_stale_table_is_told_and_mended(tmp_path):
    (tmp_path / "docs").mkdir()
    shutil.copytree(MODELS[0], tmp_path / "models" / MODELS[0].parent.name / MODELS[0].name)
    begin, end = "<!-- results: made by 'make table' -->", "<!-- end of results -->"
    (tmp_path / "README.md").write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    assert table.main(tmp_path, check=True) == 1
    assert table.main(tmp_path) == 0
    assert table.main(tmp_path, check=True) == 0
    lines = (tmp_path / "README.md").read_text().splitlines()
    assert lines[0] == "before"
    assert lines[-1] == "after"
    assert sum(line.startswith("| `") for line in lines) == 1
    page = (tmp_path / "docs/results.md").read_text()
    assert MODELS[0].parent.name in page
    assert "nothing predicted" in page


def test_readme_without_a_place_for_the_table_is_refused():
    with pytest.raises(ValueError, match="README lacks"):
        table.insert("text", "| table |")


@pytest.mark.parametrize("folder", MODELS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_published_model_is_whole(folder):
    name = folder.parent.name
    stored = plan.read(folder / plan.FILE_NAME)
    assert {"weights.h5", f"{name}.tflite", "README.md", "split.json"} <= set(stored.files)
    for file, digest in stored.files.items():
        assert files.sha256(folder / file) == digest, file
    model = TfliteModel.read(folder / f"{name}.tflite")
    usable(model)
    results = files.read_json(folder / table.RESULTS)
    assert results["file_sha256"] == stored.files[f"{name}.tflite"]
    assert results["verification"]["bit_exact"]
    assert not results["failures"]
    assert results["boards"] == boards_that_hold(model)
    before, after = (lesions(results["test"][form])["dice"] for form in ("float", "integer"))
    assert before - after <= 0.01
    pictures = {path.name for path in folder.iterdir() if path.suffix in {".jpg", ".png"}}
    card = (folder / "README.md").read_text()
    assert card == model_card(results, stored, *pictures)
    assert f"| {before:.4f} to {after:.4f}, " in card
    assert not [line for line in card.splitlines() if line.endswith("| missed |")]
    # Images of patients are not published.
    assert pictures == {"examples.jpg" if folder.name == "phantom" else "dice.png"}
    report = (folder / f"{name}.tflite-profiling-results.txt").read_text()
    # MLTK lacks the operator that unpacks weights: it sees the twin without.
    assert f"Layer Count: {len(unpacked(model).operators)}" in report
