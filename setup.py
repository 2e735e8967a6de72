"""What setup.cfg cannot say: a wheel holds the firmware, and published models where small.

In a checkout both lie beside the package, not in it; see tinyseg/places.py.
"""

import hashlib
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
# What compiling for a board takes; the firmware's own tests and fuzzers stay behind.
FIRMWARE = (
    "CMakeLists.txt", "boards", "cmake", "core", "engine", "ops", "selftest", "tflm",
    "tinyseg",
)  # fmt: skip
# What running, verifying and quantizing a published network takes; pictures stay behind.
PUBLISHED = (".csv", ".h5", ".json", ".md", ".tflite")
# Larger networks are fetched when they are first asked for; see tinyseg/published.py.
LARGEST = 2 << 20


class BuildPackage(build_py):
    """Copies firmware and models into the package, but not for an editable installation."""

    def run(self) -> None:
        """Build the package."""
        super().run()
        if not self.editable_mode:
            package = Path(self.build_lib, "tinyseg")
            copy_firmware(package / "firmware")
            copy_models(package / "models")


def copy_firmware(target: Path) -> None:
    """Copy the firmware's sources."""
    shutil.rmtree(target, ignore_errors=True)
    for name in FIRMWARE:
        for path in files_below(ROOT / "firmware" / name):
            copy(path, target / path.relative_to(ROOT / "firmware"))


def copy_models(target: Path) -> None:
    """Copy small networks, and list the files of all with their SHA-256."""
    shutil.rmtree(target, ignore_errors=True)
    models, lines = ROOT / "models", []
    for folder in sorted(models.glob("*/*/")):
        paths = [path for path in files_below(folder) if path.suffix in PUBLISHED]
        for path in paths:
            name = path.relative_to(models)
            lines.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name.as_posix()}\n")
            if sum(p.stat().st_size for p in paths) <= LARGEST:
                copy(path, target / name)
    target.mkdir(parents=True, exist_ok=True)
    (target / "SHA256SUMS").write_text("".join(lines))


def files_below(path: Path) -> list[Path]:
    """Return a file, or all files of a folder."""
    return [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())


def copy(path: Path, target: Path) -> None:
    """Copy a file and make its folder."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, target)


setup(cmdclass={"build_py": BuildPackage})
