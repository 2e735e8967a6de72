"""An operating point as C++ source: whole numbers for the int8 output of one file."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np

from tinyseg.decision import units, whole
from tinyseg.errors import InputError
from tinyseg.operating_point import OperatingPoint
from tinyseg.places import firmware_folder
from tinyseg.runtime.meaning import MapLayout, Meaning, plain
from tinyseg.runtime.runner import TensorSpec

# Of firmware/.
CODE = ("core/operating_point.h", "core/operating_point.cc", "core/mirror.h")


@dataclasses.dataclass(frozen=True)
class PointSource:
    """What the templates write of an operating point, see ``firmware/core/operating_point.h``.

    Attributes:
        text: in words.
        units: of each stored value -128..127; none where a threshold alone decides.
    """

    text: str = "none"
    units: tuple[int, ...] = ()
    threshold: int = 0
    height: int = 0
    width: int = 0
    regions: int = 0
    regions_first: bool = False
    count: int = 0
    blank_below: int = 0
    relative: int = 0
    smallest: int = 0
    largest_only: bool = False
    mirrored: bool = False

    @classmethod
    def of(
        cls, path: str, point: OperatingPoint | None, meaning: Meaning, target: TensorSpec
    ) -> PointSource:
        """Return what is written of a point.

        Args:
            path: of the file, for messages.
            point: None for a file whose input is no image.
            meaning: of the output.
            target: the output.

        Raises:
            InputError: the firmware cannot apply the point to this output.
        """
        if point is None or point.is_plain:
            return cls("a threshold alone" if point else "none")
        meaning = meaning if meaning.layout or len(target.shape) != 4 else plain(target.shape)
        layout = meaning.layout
        if target.dtype != "int8" or layout is None or not meaning.by_threshold:
            raise InputError(
                f"{path}: firmware applies an operating point ({point.described()}) to int8 maps "
                f"of probabilities, this output is {target.dtype}, {meaning}; quantize with "
                "static_wi8_ai8 and quantization.io=integer, or give it a threshold alone"
            )
        probabilities = stored_probabilities(meaning, target)
        below = np.flatnonzero(~(probabilities > point.threshold))
        if not below.size:
            raise InputError(f"{path}: every output is above the threshold {point.threshold}")
        numbers = whole(point, layout.height * layout.width)
        return cls(
            text=point.described(),
            units=tuple(units(probabilities).tolist()),
            threshold=int(below.max()) - 128,
            height=layout.height,
            width=layout.width,
            regions=layout.channels,
            regions_first=layout.first,
            count=numbers.highest,
            blank_below=numbers.blank_below,
            relative=numbers.relative,
            smallest=point.smallest,
            largest_only=point.largest_only,
            mirrored=point.mirrored,
        )


def copy_code(folder: str | Path) -> list[Path]:
    """Copy the code that applies a point beside exported source; return the paths.

    Raises:
        InputError: this installation lacks the firmware.
    """
    root, made = firmware_folder(), []
    for name in CODE:
        target = Path(folder) / name
        target.parent.mkdir(parents=True, exist_ok=True)
        made.append(Path(shutil.copyfile(root / name, target)))
    return made


def stored_probabilities(meaning: Meaning, target: TensorSpec) -> np.ndarray:
    """Return the probability of each stored value -128..127, float32 ``(256,)``."""
    stored = np.arange(-128, 128).astype(np.int8)
    alone = dataclasses.replace(meaning, layout=MapLayout(1, 256, 1))
    if meaning.head.exclusive:
        # Of two classes, whose probabilities are stored as they are.
        return target.dequantize(stored)
    return alone.probabilities(target.dequantize(stored)[None]).ravel()
