"""Files are replaced whole or not at all."""

import hashlib

import pytest

from tinyseg import files
from tinyseg.errors import InputError


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_failed_write_keeps_the_old_file_and_no_leftovers(tmp_path, error):
    path = files.write_text(tmp_path / "a.txt", "old")

    def interrupted():
        with files.replacing(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_folder_is_made_and_mode_is_ordinary(tmp_path):
    path = files.write_json(tmp_path / "new" / "a.json", {"a": 1})
    assert files.read_json(path) == {"a": 1}
    assert path.stat().st_mode & 0o444 == 0o444


def test_unwritable_folder_names_it(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write here"):
        files.write_text(tmp_path / "file" / "a.txt", "")


def test_bad_json_names_the_file(tmp_path):
    path = files.write_text(tmp_path / "a.json", "{")
    with pytest.raises(InputError, match=r"a\.json: not valid JSON"):
        files.read_json(path)
    with pytest.raises(InputError, match="cannot be read"):
        files.read_json(tmp_path / "b.json")


def test_nan_never_reaches_json(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "a.json", float("nan"))
    assert not list(tmp_path.iterdir())


def test_sha256(tmp_path):
    path = files.write_bytes(tmp_path / "a", b"abc")
    assert files.sha256(path) == hashlib.sha256(b"abc").hexdigest()


def test_a_disk_without_room_is_said_before_it_is_written_on(tmp_path):
    files.need_room(tmp_path / "not" / "there", 1)
    with pytest.raises(InputError) as caught:
        files.need_room(tmp_path / "run", 1 << 62, "go on")
    told = str(caught.value)
    assert told.startswith(f"{tmp_path / 'run'}: the disk is full, {1 << 62:,} bytes are needed")
    assert told.endswith("make room, then go on")
    assert not (tmp_path / "run").exists()
