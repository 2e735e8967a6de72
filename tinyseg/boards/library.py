"""A network and the engine that runs it as a library: source that needs nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

from tinyseg.boards import program_source
from tinyseg.boards.c_source import render
from tinyseg.engine.compiled import Compiled
from tinyseg.places import firmware_folder

# Of firmware/: what the runtime consists of, and the host's own parts that it does without.
_SOURCES = (
    "core/bytes.h", "core/status.h", "core/crc32.h", "core/crc32.cc", "core/mirror.h",
    "core/operating_point.h", "core/operating_point.cc", "ops/binary_conv.h",
    "ops/binary_conv.cc", "engine/*.h", "engine/*.cc", "engine/kernels/**/*.h",
    "engine/kernels/**/*.cc", "engine/kernels/**/*.S", "engine/kernels/**/*.inc",
)  # fmt: skip
_HOST = ("host.h", "host.cc", "all.cc", "host")
# What else is written: a template of templates/library, and its place.
_FILES = {
    "CMakeLists.txt": "CMakeLists.txt",
    "main.cc": "example/main.cc",
    "library.properties": "library.properties",
    "module.yml": "zephyr/module.yml",
    "zephyr.cmake": "zephyr/CMakeLists.txt",
}


def export(
    compiled: Compiled, ends: program_source.Borders, folder: str | Path, name: str
) -> list[Path]:
    """Write program, runtime, CMake project, Zephyr module, Arduino library and an example.

    Args:
        compiled: a file's program.
        ends: preprocessing and meaning of the output, see
            :func:`tinyseg.boards.c_source.export`.
        folder: where to write.
        name: of the model, for people and for CMake's target.

    Returns:
        The paths.

    Raises:
        InputError: the file has not one image in and one mask or score out, or this installation
            lacks the firmware.
    """
    folder, root = Path(folder), firmware_folder()
    sections = [""] * len(compiled.placement.regions)
    written = program_source.export(compiled, ends, sections, folder / "src", name)
    values = program_source.values(compiled, ends, sections, name)
    for template, place in _FILES.items():
        written += render({f"library/{template}": folder / place}, values)
    for pattern in _SOURCES:
        for source in sorted(root.glob(pattern)):
            if source.name not in _HOST and source.parent.name not in _HOST:
                target = folder / "src" / source.relative_to(root)
                target.parent.mkdir(parents=True, exist_ok=True)
                written.append(Path(shutil.copyfile(source, target)))
    return written
