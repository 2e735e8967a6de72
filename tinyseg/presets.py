"""Where weights and results lie: ``models/`` for what users start from, ``build/`` for runs."""

from __future__ import annotations

import re
from pathlib import Path

import tinyseg
from tinyseg import files
from tinyseg.errors import InputError
from tinyseg.plan import Plan

BUILD = Path("build")
WEIGHTS = "weights.h5"
HISTORY = "history.csv"


def slug(source: str) -> str:
    """Return a folder name for a data source: ``phantom``, ``busi``, ``phantom-count-48``."""
    name = Path(source).name if "/" in source else source
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "data"


def run_folder(plan: Plan, step: str) -> Path:
    """Return ``build/MODEL/DATA/STEP``, with step ``float`` or a recipe."""
    return BUILD / plan.model.name / slug(plan.data.source) / step


def find_tflite(model: str, source: str | None, recipe: str) -> Path:
    """Return a network's newest integer file: made here from this data, else a shipped one.

    Args:
        model: name in the zoo, or the path of a ``.tflite`` file, which is returned as it is.
        source: data source; None for ``phantom``.
        recipe: quantization recipe.

    Raises:
        InputError: there is none.
    """
    if model.endswith(".tflite") or Path(model).exists():
        return Path(model)
    name = f"{model}.tflite"
    places = [BUILD / model / slug(source or "phantom") / recipe, *_shipped(model, source)]
    for place in places:
        if (place / name).is_file():
            return place / name
    raise InputError(f"{model}: no such file, and no {places[0] / name}; run 'tinyseg quantize'")


def find_weights(model: str, source: str) -> Path:
    """Return a network's newest weights: trained here on this data, else shipped ones.

    Args:
        model: name in the zoo.
        source: data source.

    Raises:
        InputError: there are none.
    """
    places = [BUILD / model / slug(source) / "float", *_shipped(model, source)]
    for place in places:
        if (place / WEIGHTS).is_file():
            return place / WEIGHTS
    raise InputError(
        f"{model}: no trained weights in {places[0]} or models/{model}; "
        f"run 'tinyseg train {model}' or give --weights"
    )


def weights_by_hash(model: str, digest: str) -> Path | None:
    """Return the weights file of a network with the given SHA-256, None if there is none."""
    folders = [*sorted((BUILD / model).glob("*/float")), *_shipped(model)]
    paths = (folder / WEIGHTS for folder in folders)
    return next((p for p in paths if p.is_file() and files.sha256(p) == digest), None)


def _shipped(model: str, source: str | None = None) -> list[Path]:
    """Return the folders ``models/MODEL/DATA``: those of the source first, then of phantoms."""
    wanted = (slug(source or "phantom"), "phantom")
    roots = dict.fromkeys((Path.cwd(), Path(tinyseg.__file__).parents[1]))
    found = [path for root in roots for path in sorted((root / "models" / model).glob("*/"))]
    return sorted(found, key=lambda path: [path.name != name for name in wanted])
