"""Tables on terminals of any width: no name and no number is broken; and how a process ends."""

import io
import subprocess
import sys

import pytest

from tinyseg.cli import terminal

HEADER = ["network", "parameters", "published form stopped by"]
ROWS = [
    ["attention_unet_ds_256k", "45,877", "RESIZE_BILINEAR, TRANSPOSE_CONV"],
    ["unet", "31,030,593", ""],
]


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def printed(monkeypatch):
    def printed(columns, stream=Terminal):
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("NO_COLOR", "1")
        out = stream()
        monkeypatch.setattr("sys.stdout", out)
        terminal.print_table(HEADER, ROWS, title="path/to/a network of a very long name.tflite")
        return out.getvalue()

    return printed


@pytest.mark.parametrize("columns", [20, 40, 80, 200])
@pytest.mark.parametrize("stream", [Terminal, io.StringIO])
def test_names_and_numbers_stay_whole(printed, columns, stream):
    text = printed(columns, stream)
    for row in ROWS:
        for cell in row:
            assert cell in text
    assert "path/to/a network of a very long name.tflite\n" in text


def test_a_narrow_terminal_gets_lines(printed):
    lines = printed(40).splitlines()
    place = lines.index("attention_unet_ds_256k")
    assert lines[place + 1].split() == ["parameters", "45,877"]
    assert "  published form stopped by  RESIZE_BILINEAR, TRANSPOSE_CONV" in lines
    assert lines[lines.index("unet") + 1].split() == ["parameters", "31,030,593"]


def test_a_wide_one_gets_a_table(printed):
    (line,) = (line for line in printed(120).splitlines() if "45,877" in line)
    assert line.split()[:2] == ["attention_unet_ds_256k", "45,877"]


def test_no_verb_ends_with_a_search_for_garbage():
    """What is registered first is called last: it sees what is frozen by then."""
    code = (
        "import atexit, gc, sys; sys.argv[1:] = ['--version']; "
        "atexit.register(lambda: print(gc.get_freeze_count() > 0, len(gc.get_objects()) < 100, "
        "gc.get_threshold()[0] > 10_000)); from tinyseg.cli import main; main()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert ended.splitlines()[1:] == ["True True True"]
