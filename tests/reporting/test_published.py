"""What lies in models/ is whole, and the README shows it."""

from pathlib import Path

import pytest

from tinyseg import files, plan
from tinyseg.reporting import table
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.lint import usable

ROOT = Path(__file__).parents[2]
MODELS = sorted(path.parent for path in (ROOT / "models").glob("*/*/plan.json"))


def test_readme_shows_the_published_figures():
    runs = [files.read_json(path / table.RESULTS) for path in MODELS]
    readme = (ROOT / "README.md").read_text()
    assert table.insert(readme, table.markdown(runs)) == readme, "run 'make table'"


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
    drop = results["test"]["float"]["dice"] - results["test"]["integer"]["dice"]
    assert drop <= 0.01
    report = (folder / f"{name}.tflite-profiling-results.txt").read_text()
    assert f"Layer Count: {len(model.operators)}" in report
