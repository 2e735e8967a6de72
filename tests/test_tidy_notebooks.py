"""What notebooks show was printed whole."""

import json

import pytest

from tests.tidy_notebooks import FOLDER, joined, tidy


def said(text, name="stdout"):
    return {"output_type": "stream", "name": name, "text": text.splitlines(keepends=True)}


def test_chunks_of_one_stream_are_one():
    picture = {"output_type": "display_data", "data": {}, "metadata": {}}
    chunks = [said("no fore"), said("ground\nmed"), said("ian\n"), picture, said("end\n")]
    assert joined(chunks) == [said("no foreground\nmedian\n"), picture, said("end\n")]
    apart = [said("a", "stdout"), said("b", "stderr"), said("c", "stdout")]
    assert joined(apart) == apart


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.stem)
def test_published_notebooks_are_tidy(path, tmp_path):
    copy = tmp_path / path.name
    copy.write_text(path.read_text())
    tidy(copy)
    assert copy.read_text() == path.read_text()
    for cell in json.loads(path.read_text())["cells"]:
        outputs = cell.get("outputs", [])
        assert joined(outputs) == outputs
