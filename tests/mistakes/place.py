"""A folder in which the commands of the table are given, and what runs them."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import shlex
import shutil
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FILE = ROOT / "models/attention_unet_ds_256k/phantom/attention_unet_ds_256k.tflite"


def furnish(folder: Path) -> Path:
    """Make what the commands name: plans, damaged files, an image, a file that missed a gate."""
    from PIL import Image

    from tinyseg.steps.marks import mark

    content = _FILE.read_bytes()
    texts = {
        "list.yaml": "- 1\n- 2\n",
        "broken.yaml": "a: [1",
        "typo.yaml": "training: {epoch: 3}\n",
        "bad.json": "{",
        **dict.fromkeys(("text.tflite", "text.h5", "text.keras", "broken.png"), "hello\n"),
    }
    for name in ("one", "two", "masks_without_images/masks"):
        (folder / name).mkdir(parents=True)
        Image.new("L", (40, 30)).save(folder / name / "scan.png")
    (folder / "empty").mkdir(parents=True)
    (folder / "marked").mkdir()
    for name, text in texts.items():
        (folder / name).write_text(text)
    (folder / "bad.tflite").write_bytes(b"\x18\0\0\0TFL3")
    (folder / "cut.tflite").write_bytes(content[: len(content) // 2])
    shutil.copy(_FILE, folder / "marked/net.tflite")
    mark(folder / "marked/net.tflite", ["marked/net.tflite: Dice falls by 0.2000"])
    Image.new("L", (40, 30)).save(folder / "scan.png")
    return folder


def inside(folder: Path) -> list[str]:
    """Return every file and folder there."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def run(commands: list[str]) -> list[dict]:
    """Give commands in this process, in this folder; say of each what came of it.

    Returns:
        ``code``, ``out``, ``err``, and ``seconds`` of a processor, whatever else runs beside it.
    """
    from tinyseg import cli
    from tinyseg.cli import terminal

    terminal.quiet = lambda verbose: None
    results = []
    for command in commands:
        out, err, code = io.StringIO(), io.StringIO(), 0
        logging.getLogger("tinyseg").handlers = []
        sys.argv = ["tinyseg", *shlex.split(command)]
        start = time.process_time()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                cli.main()
            except SystemExit as stop:
                code = stop.code or 0
            except Exception as error:
                code = repr(error)
        seconds = time.process_time() - start
        told = {"code": code, "out": out.getvalue(), "err": err.getvalue(), "seconds": seconds}
        results.append(told)
    return results


if __name__ == "__main__":
    if "quick" in sys.argv:
        # Whatever asks for it fails here, and its row of the table with it.
        sys.modules["tensorflow"] = None  # type: ignore[assignment]
    print(json.dumps(run(json.loads(sys.stdin.read()))))
