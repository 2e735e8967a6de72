"""Builds that fail: the reason in one line; folders that another checkout left behind."""

import re
import shutil

import pytest

from tinyseg import boards
from tinyseg.boards.build import compile_firmware
from tinyseg.errors import InputError
from tinyseg.places import firmware_folder

pytestmark = pytest.mark.arm


def test_build_folder_of_a_checkout_that_moved(tmp_path, monkeypatch):
    """CMake refuses a cache that another source folder made; such a one is made anew."""
    board = boards.load_board("mps2_an386")
    moved = tmp_path / "moved"
    shutil.copytree(firmware_folder(), moved)
    monkeypatch.setattr("tinyseg.boards.build.firmware_folder", lambda: moved)
    first = compile_firmware(board, tmp_path / "build")
    monkeypatch.undo()
    assert compile_firmware(board, tmp_path / "build").elf == first.elf
    assert str(moved) not in (tmp_path / "build" / "CMakeCache.txt").read_text()


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (
            "int one(); int two(); int main() { return one() + two(); }",
            "nothing defines one(), two()",
        ),
        ("int main() { return", "error: expected"),
        ("", "undefined|main|does not"),
    ],
)
def test_why_firmware_does_not_build(tmp_path, monkeypatch, source, reason):
    board = boards.load_board("mps2_an386")
    broken = tmp_path / "firmware"
    shutil.copytree(firmware_folder(), broken)
    (broken / "selftest" / "main.cc").write_text(source)
    monkeypatch.setattr("tinyseg.boards.build.firmware_folder", lambda: broken)
    with pytest.raises(InputError) as caught:
        compile_firmware(board, tmp_path / "build")
    message = str(caught.value)
    assert message.startswith("mps2_an386: the firmware does not ")
    assert re.search(reason if "|" in reason else re.escape(reason), message), message
    assert "\n" not in message


def test_what_cmake_says_is_the_reason(tmp_path, monkeypatch):
    broken = tmp_path / "firmware"
    shutil.copytree(firmware_folder(), broken)
    (broken / "CMakeLists.txt").write_text('message(FATAL_ERROR "no such thing")\n')
    monkeypatch.setattr("tinyseg.boards.build.firmware_folder", lambda: broken)
    with pytest.raises(InputError, match="no such thing"):
        compile_firmware(boards.load_board("mps2_an386"), tmp_path / "build")
