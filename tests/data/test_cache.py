import os
import stat

import pytest

from tinyseg.data.cache import filling
from tinyseg.errors import InputError
from tinyseg.places import cache_folder


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_folder_appears_whole_when_the_block_ends(tmp_path):
    target = tmp_path / "deep/er/target"
    with filling(target, "cure") as temporary:
        assert temporary.parent == target.parent
        assert names(temporary) == []
        (temporary / "file").write_text("content")
        assert not target.exists()
    assert names(target) == ["file"]
    assert (target / "file").read_text() == "content"
    assert names(target.parent) == ["target"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_nothing_is_left_when_the_block_fails(tmp_path, error):
    target = tmp_path / "target"

    def spoil(temporary):
        (temporary / "below").mkdir()
        (temporary / "below/file").write_text("content")
        raise error

    with pytest.raises(error), filling(target, "cure") as temporary:
        spoil(temporary)
    assert names(tmp_path) == []


def test_what_another_filled_meanwhile_is_kept(tmp_path):
    target = tmp_path / "target"
    with filling(target, "cure") as temporary:
        (temporary / "mine").write_text("")
        target.mkdir()
        (target / "theirs").write_text("")
    assert names(target) == ["theirs"]
    assert names(tmp_path) == ["target"]


def test_a_file_in_the_way_is_no_folder(tmp_path):
    target = tmp_path / "target"
    with pytest.raises(OSError), filling(target, "cure"):  # noqa: PT011
        target.write_text("in the way")
    assert target.read_text() == "in the way"
    assert names(tmp_path) == ["target"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o755), (0o027, 0o750), (0o077, 0o700)])
def test_folder_has_the_mode_of_an_ordinary_one(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        with filling(tmp_path / "target", "cure"):
            pass
        assert stat.S_IMODE((tmp_path / "target").stat().st_mode) == mode
        # The umask itself stays.
        assert os.umask(umask) == umask
    finally:
        os.umask(before)


def test_place_that_cannot_be_written_is_named_with_the_cure(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(InputError, match=r"file: cannot write here \(.+\); choose another$"),
        filling(tmp_path / "file/target", "choose another"),
    ):
        pass


def test_cache_folder_is_the_first_that_is_named(monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("TINYSEG_CACHE", "")
    assert str(cache_folder()) == "/home/someone/.cache/tinyseg"
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert str(cache_folder()) == "/xdg/tinyseg"
    monkeypatch.setenv("TINYSEG_CACHE", "/own")
    assert str(cache_folder()) == "/own"
