"""What notebooks show was printed whole."""

import json

import pytest

from tests.tidy_notebooks import FOLDER, ROOT, joined, tidy


def said(text, name="stdout"):
    return {"output_type": "stream", "name": name, "text": text.splitlines(keepends=True)}


def test_chunks_of_one_stream_are_one():
    picture = {"output_type": "display_data", "data": {}, "metadata": {}}
    chunks = [said("no fore"), said("ground\nmed"), said("ian\n"), picture, said("end\n")]
    assert joined(chunks) == [said("no foreground\nmedian\n"), picture, said("end\n")]
    apart = [said("a", "stdout"), said("b", "stderr"), said("c", "stdout")]
    assert joined(apart) == apart


def test_waiting_is_not_shown():
    waited = "net.tflite\nmps2: waiting for the answer to run tensor, up to 1800 s\nend\n"
    assert joined([said(waited)]) == [said("net.tflite\nend\n")]


def test_paths_begin_in_the_checkout():
    assert joined([said(f"{ROOT}/models/a.tflite, lowered\n")]) == [
        said("models/a.tflite, lowered\n")
    ]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.stem)
def test_published_notebooks_are_tidy(path, tmp_path):
    copy = tmp_path / path.name
    copy.write_text(path.read_text())
    tidy(copy)
    assert copy.read_text() == path.read_text()
    for cell in json.loads(path.read_text())["cells"]:
        outputs = cell.get("outputs", [])
        assert joined(outputs) == outputs
