"""Where things lie, in a checkout and in an installation."""

from pathlib import Path

import pytest

import tinyseg
from tinyseg import places
from tinyseg.errors import InputError

ROOT = Path(__file__).parents[1]


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "site" / "tinyseg"
    folder.mkdir(parents=True)
    monkeypatch.setattr(tinyseg, "__file__", str(folder / "__init__.py"))
    monkeypatch.chdir(tmp_path)
    return folder


def test_checkout():
    assert places.firmware_folder() == ROOT / "firmware"
    assert ROOT / "models" in places.models_folders()


def test_installation_holds_its_own_firmware(package):
    with pytest.raises(InputError, match="no firmware there; install tinyseg from a checkout"):
        places.firmware_folder()
    for folder in (package.parent / "firmware", package / "firmware"):
        folder.mkdir()
        (folder / "CMakeLists.txt").touch()
        assert places.firmware_folder() == folder


def test_models_of_the_current_folder_come_first(package, tmp_path):
    assert places.models_folders() == [
        tmp_path / "models",
        package / "models",
        package.parent / "models",
    ]


def test_mltk_is_looked_for_where_it_serves_every_folder(package, tmp_path, monkeypatch):
    monkeypatch.setenv("TINYSEG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TINYSEG_MLTK_PYTHON", "/own/python")
    python = Path(".venv-mltk/bin/python")
    assert places.mltk_places() == [
        Path("/own/python"),
        tmp_path / python,
        package.parent / python,
        tmp_path / "cache" / python,
    ]
    assert places.mltk_folder() / "bin" / "python" == places.mltk_places()[-1]
    monkeypatch.delenv("TINYSEG_MLTK_PYTHON")
    assert places.mltk_places()[0] == tmp_path / python
