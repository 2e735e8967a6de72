"""Notebooks as pages of the documentation: nothing that a reader sees is lost."""

import base64
import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted(ROOT.glob("notebooks/*.ipynb"))


@pytest.fixture(scope="module")
def page():
    pytest.importorskip("mkdocs")
    spec = importlib.util.spec_from_file_location("hooks", ROOT / "docs/hooks.py")
    hooks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hooks)
    return hooks.notebook_page


def test_cells_follow_each_other(page):
    picture = base64.b64encode(b"\xff\xd8 a picture").decode()
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "Words."]},
        {
            "cell_type": "code", "source": ["%%bash\n", "tinyseg zoo\n"],
            "outputs": [{"output_type": "stream", "name": "stdout", "text": ["a\n", "b\n"]}],
        },
        {
            "cell_type": "code", "source": ["draw()"],
            "outputs": [{"output_type": "execute_result", "data": {"image/jpeg": picture}}],
        },
    ]  # fmt: skip
    text, pictures = page({"cells": cells}, "mine")
    assert text == (
        "# Title\nWords.\n\n```sh\ntinyseg zoo\n```\n\n```text\na\nb\n```\n\n"
        "```python\ndraw()\n```\n\n![What the cell above draws](mine_1.jpeg)\n"
    )
    assert pictures == {"mine_1.jpeg": b"\xff\xd8 a picture"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_notebook_is_a_page_of_the_site(page, path):
    notebook = json.loads(path.read_text())
    text, _ = page(notebook, path.stem)
    assert text.startswith("# ")
    for cell in notebook["cells"]:
        assert "".join(cell["source"]).removeprefix("%%bash").strip() in text
    assert f"notebooks/{path.stem}.md" in (ROOT / "mkdocs.yml").read_text()
