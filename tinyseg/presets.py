"""Where weights and results lie: ``models/`` for what users start from, ``build/`` for runs."""

from __future__ import annotations

import re
from pathlib import Path

from tinyseg import files, places, published
from tinyseg.errors import InputError
from tinyseg.places import BUILD
from tinyseg.plan import Plan

WEIGHTS = "weights.h5"
HISTORY = "history.csv"
RESULTS = "results.json"
FINDINGS = "rules.json"


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
    if model.endswith(".tflite") or Path(model).is_file():
        return Path(model)
    name = f"{model}.tflite"
    built = BUILD / model / slug(source or "phantom") / recipe
    path = _find(name, built, model, source)
    if path is None:
        raise InputError(f"{model}: no such file, and no {built / name}; run 'tinyseg quantize'")
    return path


def find_weights(model: str, source: str) -> Path:
    """Return a network's newest weights: trained here on this data, else shipped ones.

    Args:
        model: name in the zoo.
        source: data source.

    Raises:
        InputError: there are none.
    """
    built = BUILD / model / slug(source) / "float"
    path = _find(WEIGHTS, built, model, source)
    if path is None:
        raise InputError(
            f"{model}: no trained weights in {built} or models/{model}; "
            f"run 'tinyseg train {model}' or give --weights"
        )
    return path


def weights_by_hash(model: str, digest: str) -> Path | None:
    """Return the weights file of a network with the given SHA-256, None if there is none."""
    folders = [*sorted((BUILD / model).glob("*/float")), *_shipped(model)]
    paths = (folder / WEIGHTS for folder in folders)
    return next((p for p in paths if p.is_file() and files.sha256(p) == digest), None)


def _find(name: str, built: Path, model: str, source: str | None) -> Path | None:
    """Return a network's file: made here, or published for the nearest data."""
    if (built / name).is_file():
        return built / name
    held = next((f for f in _shipped(model, source) if (f / name).is_file()), None)
    listed = [data for data, hashes in published.listed(model).items() if name in hashes]
    nearest = min(listed, key=lambda data: _far_from(source, data), default=None)
    if nearest is None or (held and _far_from(source, held.name) <= _far_from(source, nearest)):
        return held and held / name
    return published.fetch(model, nearest) / name


def _shipped(model: str, source: str | None = None) -> list[Path]:
    """Return the folders ``models/MODEL/DATA``: those of the source first, then of phantoms."""
    roots = [*places.models_folders(), published.fetched_folder()]
    found = [path for root in roots for path in sorted((root / model).glob("*/"))]
    return sorted(found, key=lambda path: _far_from(source, path.name))


def _far_from(source: str | None, data: str) -> list[bool]:
    return [data != name for name in (slug(source or "phantom"), "phantom")]
