"""Wheels of this repository, and environments with nothing else of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = ("tinyseg", "firmware", "models", "setup.py", "setup.cfg", "pyproject.toml", "README.md")


def build(home: Path) -> Path:
    """Build a wheel of the files as they are now; what an earlier build left must not get into it.

    Returns:
        Its path, in ``dist`` of the folder.
    """
    source = home / "source"
    for name in SOURCES:
        path, target = ROOT / name, source / name
        target.parent.mkdir(exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, target)
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", home / "dist", source)
    return next((home / "dist").glob("*.whl"))


def install(folder: Path, wheel: Path) -> Path:
    """Return ``tinyseg`` of an environment that shares with this one all but tinyseg.

    A folder that a .pth file names comes after the environment's own, and its own .pth files, an
    editable tinyseg among them, are not read.
    """
    venv.create(folder)
    pip("--python", folder / "bin" / "python", "install", "--no-deps", "--no-index", wheel)
    packages = next(folder.glob("lib/python*/site-packages"))
    shared = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    (packages / "shared.pth").write_text("\n".join(shared))
    return folder / "bin" / "tinyseg"


def pip(*arguments: object) -> None:
    """Run pip, which has to succeed."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", *map(str, arguments)], env=clean(),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def clean(home: Path | None = None, variables: dict[str, str] | None = None) -> dict[str, str]:
    """Return variables that lead to no checkout."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if key != "PYTHONPATH" and not key.startswith("TINYSEG_")
    }
    return {**kept, **({"TINYSEG_CACHE": str(home / "cache")} if home else {}), **(variables or {})}
