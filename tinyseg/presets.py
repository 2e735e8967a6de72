"""Where weights and results lie: ``models/`` for what users start from, ``build/`` for runs."""

from __future__ import annotations

import re
from pathlib import Path

import tinyseg
from tinyseg.errors import InputError
from tinyseg.plan import Plan

BUILD = Path("build")
WEIGHTS = "weights.h5"


def slug(source: str) -> str:
    """Return a folder name for a data source: ``phantom``, ``busi``, ``phantom-count-48``."""
    name = Path(source).name if "/" in source else source
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "data"


def run_folder(plan: Plan, step: str) -> Path:
    """Return ``build/MODEL/DATA/STEP``, with step ``float`` or a recipe."""
    return BUILD / plan.model.name / slug(plan.data.source) / step


def find_weights(model: str, source: str | None) -> Path:
    """Return a network's newest weights: trained here on this data, else the shipped ones.

    Args:
        model: name in the zoo.
        source: data source; None looks among the shipped weights only.

    Raises:
        InputError: there are none.
    """
    roots = [Path.cwd(), Path(tinyseg.__file__).parents[1]]
    places = [BUILD / model / slug(source) / "float"] if source else []
    places += [root / "models" / model for root in roots]
    for place in places:
        if (place / WEIGHTS).is_file():
            return place / WEIGHTS
    raise InputError(
        f"{model}: no trained weights in {' or '.join(map(str, places[:2]))}; "
        f"run 'tinyseg train {model}' or give --weights"
    )
