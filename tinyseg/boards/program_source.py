"""A compiled program as C++ source: its bytes, the kernels that it needs, its memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from pathlib import Path
from typing import Any

from tinyseg.boards.c_source import common_values, identity, numbers, render
from tinyseg.engine.compiled import Compiled
from tinyseg.engine.program import KERNEL_COUNT, Kernel
from tinyseg.plan import PreprocessingPlan
from tinyseg.runtime.meaning import Meaning

# How input and output are read.
Ends = tuple[PreprocessingPlan | None, Meaning | None]
FILES = ("model_data.h", "model_program.h", "model_program.cc")


@dataclasses.dataclass(frozen=True)
class RegionSource:
    """A memory region of a program.

    Attributes:
        bytes: that it takes.
        section: of the linker script; empty for ordinary variables.
    """

    bytes: int
    section: str = ""


def export(
    compiled: Compiled,
    ends: Ends,
    sections: list[str],
    folder: str | Path,
    name: str,
) -> list[Path]:
    """Write ``model_data.h``, ``model_program.h`` and ``.cc``; the same bytes every time.

    Args:
        compiled: a file's program.
        ends: preprocessing and meaning of the output, see
            :func:`tinyseg.boards.c_source.export`.
        sections: of the linker script, one a region; empty names for ordinary variables.
        folder: where to write; files that would not change are left alone.
        name: of the model, for people.

    Returns:
        The paths.

    Raises:
        InputError: the file has not one image in and one mask or score out.
    """
    places = {file: Path(folder) / file for file in FILES}
    return render(places, values(compiled, ends, sections, name))


def values(compiled: Compiled, ends: Ends, sections: list[str], name: str) -> dict[str, Any]:
    """Return what the templates write of a program; see :func:`export`."""
    needed = {node.kernel for node in compiled.program.nodes if node.kernel is not None}
    regions = zip(compiled.placement.regions, sections, strict=True)
    nodes = compiled.program.nodes
    preprocessing, meaning = ends
    return {
        **common_values(compiled.integer, preprocessing, name, meaning),
        **identity(compiled.model),
        "length": len(compiled.content),
        "content": numbers(compiled.content, "0x%02x"),
        "headers": headers(needed),
        "kernels": functions(needed),
        "regions": [RegionSource(size, section) for size, section in regions],
        "operator_count": len(compiled.integer.operators),
        "input_row": nodes[0].row_bytes,
        "output_row": nodes[compiled.program.outputs[0]].row_bytes,
        "ram": f"{compiled.ram:,}",
        "work": f"{compiled.macs:,}",
    }


def headers(kernels: Collection[Kernel]) -> list[str]:
    """Return the headers that declare some kernels."""
    rooms = sorted({_room(kernel)[0] for kernel in kernels})
    return [f"engine/kernels/{room}/{room}.h" for room in rooms]


def functions(kernels: Collection[Kernel]) -> list[str]:
    """Return the runtime's table of some kernels, as C++ expressions."""
    found = {int(kernel): "".join(map(str.capitalize, _room(kernel)[1])) for kernel in kernels}
    rooms = {int(kernel): _room(kernel)[0] for kernel in kernels}
    return [
        f"tinyseg::engine::{rooms[number]}::{found[number]}" if number in found else "nullptr"
        for number in range(KERNEL_COUNT)
    ]


def _room(kernel: Kernel) -> tuple[str, list[str]]:
    """Return a kernel's namespace, and the words of its name."""
    first, *rest = kernel.name.lower().split("_")
    return (first, rest) if first in ("dsp", "mve") else ("portable", [first, *rest])
