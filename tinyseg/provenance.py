"""With what a run was made: versions, platform, commit."""

from __future__ import annotations

import functools
import platform
import subprocess
from importlib import metadata
from pathlib import Path

import tinyseg

_RECORDED_PACKAGES = ("tensorflow", "tf-keras", "numpy", "tflite-micro", "opencv-python-headless")


@functools.cache
def provenance() -> dict[str, str]:
    """Return versions of what takes part in a run, the platform and tinyseg's git commit."""
    versions = {"tinyseg": tinyseg.__version__, "python": platform.python_version()}
    for package in _RECORDED_PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    source = Path(tinyseg.__file__).parent
    git = subprocess.run(
        ["git", "-C", str(source), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    return {
        **versions,
        "platform": platform.platform(),
        "git_commit": git.stdout.strip() if git.returncode == 0 else "unknown",
    }
