"""A Keras model file of the user's: its plan and its network."""

from __future__ import annotations

import dataclasses
import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyseg import plan as plans
from tinyseg import presets, zoo
from tinyseg.errors import InputError
from tinyseg.keras_files.description import (
    OptionError,
    fingerprint,
    is_model,
    looks_like_model,
)
from tinyseg.plan import DataPlan, ModelPlan, Plan, PreprocessingPlan

if TYPE_CHECKING:
    import tf_keras as keras

    from tinyseg.keras_files.load import Opened

log = logging.getLogger(__name__)


def name_of(title: str) -> str:
    """Return the name that a network of the user's goes by, one that no network of the zoo has.

    Args:
        title: path of its file, or its name in Keras.
    """
    path = Path(title)
    stem = path.stem if looks_like_model(title) and not path.is_dir() else path.name
    name = re.sub(r"[^\w-]+", "_", stem, flags=re.ASCII).strip("_") or "network"
    return f"{name}_own" if name in zoo.names() else name


def made_of(path: Path, data: str = "*", recipe: str = "*") -> Iterator[tuple[Path, Plan]]:
    """Yield the integer files that were made here of a Keras file as it is now, newest first.

    Args:
        path: of the Keras file.
        data, recipe: of folders, or patterns of them.
    """
    name, digest = name_of(str(path)), fingerprint(path)
    found = (presets.BUILD / name).glob(f"{data}/{recipe}/{name}.tflite")
    for file in sorted(found, key=lambda file: (-file.stat().st_mtime, file)):
        plan = plans.beside(file)
        if plan is not None and plan.weights == digest:
            yield file, plan


def plan_of(opened: Opened, changes: Mapping[str, Any], file: str = "") -> Plan:
    """Return the plan of a network of the user's: its size, and the range of its input.

    Pixels become what its first layers take where these scale them, else 0 to 1.

    Args:
        opened: the model.
        changes: values of the plan by dotted name; they give the size of a network that takes any.
        file: where it is from; empty for one in memory.

    Raises:
        InputError: the size is not known, or not the one that it takes.
    """
    from tinyseg.keras_files.load import pixel_range

    names = ("height", "width", "channels")
    asked = [changes.get(f"preprocessing.{name}") for name in names]
    shape = _shape(opened, asked)
    preprocessing = PreprocessingPlan(*shape)
    said = pixel_range(opened)
    if said:
        scale, offset, layer = said
        preprocessing = PreprocessingPlan(*shape, scale=scale, offset=offset)
        taken = "pixels 0..255" if scale == 1 else "pixels / 255"
        log.info("%s: takes %s, as its layer %s says", opened.path, taken, layer)
    elif not any(changes.get(f"preprocessing.{key}") is not None for key in ("scale", "offset")):
        preprocessing = _said_before(opened.path, preprocessing) if file else preprocessing
        if preprocessing == PreprocessingPlan(*shape):
            log.info(
                "%s: no layer says the range of its input; taking pixels / 255. If it learned from "
                "others, tell 'tinyseg quantize': --set preprocessing.scale=... --set "
                "preprocessing.offset=...",
                opened.path,
            )
    return Plan(
        ModelPlan(name_of(opened.path), file=file), DataPlan(source=""), preprocessing=preprocessing
    )


def _said_before(path: str, plain: PreprocessingPlan) -> PreprocessingPlan:
    """Return what 'tinyseg quantize' was told of the range of a file's input, else as it is."""
    file, plan = next(made_of(Path(path)), (None, None))
    if plan is None:
        return plain
    known = plan.preprocessing
    told = dataclasses.replace(plain, scale=known.scale, offset=known.offset)
    if told != plain:
        log.info(
            "%s: input = pixel * %s + %s, as 'tinyseg quantize' was told for %s",
            *(path, known.scale, known.offset, file),
        )
    return told


def _shape(opened: Opened, asked: list[int | None]) -> tuple[int, int, int]:
    given = opened.shape
    for own, wanted in zip(given, asked, strict=True):
        if own is not None and wanted not in (None, own):
            fixed = " x ".join(str(side or "any") for side in given)
            raise InputError(f"{opened.path}: takes {fixed}, not {wanted}; leave the size out")
    height, width, channels = (own or wanted for own, wanted in zip(given, asked, strict=True))
    if height is None or width is None or channels is None:
        raise OptionError(
            f"{opened.path}: takes images of any size; give the fixed size that it is to have: "
            "--size PIXELS, or --set preprocessing.height=... --set preprocessing.width=..."
        )
    return height, width, channels


def plan_of_file(path: Path, changes: Mapping[str, Any], unsafe: bool = False) -> Plan:
    """Return the plan of a Keras model file, see :func:`plan_of`.

    Raises:
        InputError: it cannot be opened, see :func:`tinyseg.keras_files.load.open_model`.
    """
    from tinyseg.keras_files.load import open_model

    return plan_of(open_model(path, unsafe), changes, str(path))


def weights_of(plan: Plan) -> Path | None:
    """Return the float weights that a plan names by their hash, None if they are not there.

    They are a Keras model of the user's that is still the same, or of a training here.
    """
    file = plan.model.file
    if is_model(file) and fingerprint(file) == plan.weights:
        return Path(file)
    return presets.weights_by_hash(plan.model.name, plan.weights)


def load_own(plan: Plan, path: str | Path, unsafe: bool = False) -> keras.Model:
    """Open a Keras model file as the flat network of Keras 2 that a plan describes.

    Args:
        plan: its name and size.
        path: the file.
        unsafe: see :func:`tinyseg.keras_files.load.open_model`.

    Raises:
        InputError: as of that function and of :func:`tinyseg.keras_files.load.flat_network`.
    """
    from tinyseg.keras_files import load

    opened = load.open_model(path, unsafe)
    return load.flat_network(opened, plan.preprocessing.input_shape, plan.model.name)
