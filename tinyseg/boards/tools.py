"""The programs that firmware work needs: which are here, and what to install."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
from pathlib import Path

from tinyseg.boards import board as boards
from tinyseg.errors import InputError

_TOOLCHAIN = "make toolchain"
# Executable, what it is for, how to get it.
_TOOLS = (
    ("arm-none-eabi-g++", "compile firmware", f"{_TOOLCHAIN} (Debian: gcc-arm-none-eabi)"),
    ("cmake", "configure the build", f"{_TOOLCHAIN} (Debian: cmake)"),
    ("ninja", "run the build", f"{_TOOLCHAIN} (Debian: ninja-build)"),
    ("qemu-system-arm", "emulate boards", f"{_TOOLCHAIN} (Debian: qemu-system-arm)"),
    ("g++", "run the firmware's tests", "Debian: g++"),
    ("clang++", "fuzz the firmware", "Debian: clang"),
    ("clang-format", "format C++", f"{_TOOLCHAIN} (Debian: clang-format)"),
)


@dataclasses.dataclass(frozen=True)
class Tool:
    """A program or library.

    Attributes:
        name: executable, or ``TFLM_ROOT``.
        purpose: what tinyseg does with it.
        found: its path, None if it is missing.
        version: first line it says of itself, empty if unknown.
        cure: how to get it.
    """

    name: str
    purpose: str
    found: str | None
    version: str
    cure: str


def need(name: str) -> str:
    """Return the path of an executable.

    Raises:
        InputError: it is missing; the message says what to install.
    """
    path = shutil.which(name)
    if path is None:
        cures = {tool: cure for tool, _, cure in _TOOLS}
        raise InputError(f"{name} is missing; install it with {cures[name]}")
    return path


def survey() -> list[Tool]:
    """Look for every tool, those that flash boards among them."""
    wanted = list(_TOOLS)
    for name in boards.board_names():
        for flash in boards.load_board(name).flash:
            if flash.tool != "uf2":
                wanted.append((flash.tool, f"flash {name}", flash.package))
    found: dict[str, Tool] = {}
    for name, purpose, cure in wanted:
        if name in found:
            found[name] = dataclasses.replace(
                found[name], purpose=f"{found[name].purpose}, {purpose.removeprefix('flash ')}"
            )
        else:
            path = shutil.which(name)
            found[name] = Tool(name, purpose, path, _version(path) if path else "", cure)
    return [*found.values(), _tflm()]


def _tflm() -> Tool:
    root = os.environ.get("TFLM_ROOT")
    libraries = []
    if root:
        libraries = sorted(
            path.parts[-3].removeprefix("cortex_m_generic_")
            for path in Path(root).glob("gen/*/lib/libtensorflow-microlite.a")
        )
        if Path(root, "lib", "libtensorflow-microlite.a").is_file():
            libraries.append("lib")
    return Tool(
        "TFLM_ROOT",
        "link TensorFlow Lite Micro",
        root if libraries else None,
        ", ".join(libraries),
        "build its library and set TFLM_ROOT, see docs/firmware.md",
    )


def _version(path: str) -> str:
    """Return the first line of ``--version``; tools that print none stay without."""
    try:
        result = subprocess.run(
            [path, "--version"],
            capture_output=True,
            text=True,
            timeout=10,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = (result.stdout or result.stderr).strip().splitlines()
    return lines[0] if lines and result.returncode == 0 else ""
