"""Put together what a cell printed: it comes in chunks that end anywhere, in the midst of a word.

Paths of the checkout are shown from its own folder on: where that lies is nobody's business, nor
is how long a busy machine had to be waited for.

``make notebooks`` calls it after the notebooks ran.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "notebooks"
_WAITING = re.compile(r"^.*: waiting for the answer to .*, up to \d+ s\n", re.MULTILINE)


def joined(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the outputs of a cell with the chunks of one stream that follow each other as one."""
    made: list[dict[str, Any]] = []
    for output in outputs:
        last = made[-1] if made else {}
        if output["output_type"] == "stream" and last.get("name") == output["name"]:
            text = "".join(last["text"]) + "".join(output["text"])
            made[-1] = {**last, "text": text.splitlines(keepends=True)}
        else:
            made.append(output)
    return [_from_here(output) for output in made]


def _from_here(output: dict[str, Any]) -> dict[str, Any]:
    if "text" not in output:
        return output
    text = _WAITING.sub("", "".join(output["text"]).replace(f"{ROOT}/", ""))
    return {**output, "text": text.splitlines(keepends=True)}


def tidy(path: Path) -> None:
    """Rewrite a notebook if it has chunks to put together."""
    text = path.read_text()
    notebook = json.loads(text)
    for cell in notebook["cells"]:
        if "outputs" in cell:
            cell["outputs"] = joined(cell["outputs"])
    made = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    if made != text:
        path.write_text(made)


if __name__ == "__main__":
    for notebook in sorted(FOLDER.glob("*.ipynb")):
        tidy(notebook)
