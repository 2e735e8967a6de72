"""What a search tries: values of a plan, drawn by the plan's seed and the trial's number alone."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from tinyseg import plan as plans
from tinyseg.errors import InputError
from tinyseg.plan import Plan

# Trials that differ in these are not comparable, or are what the search itself decides.
_FIXED = ("seed", "data", "training.epochs", "model.name", "weights", "provenance", "files")
_RANGES = ("uniform", "log", "integers")


@dataclasses.dataclass(frozen=True)
class Axis:
    """One value of a plan, and what it may be.

    Attributes:
        name: dotted, as ``--set`` takes it.
        kind: ``choice``, ``uniform``, ``log`` (uniform in the logarithm) or ``integers``.
        values: the choices, or least and most, both included.
    """

    name: str
    kind: str
    values: tuple[Any, ...]

    def draw(self, rng: np.random.Generator) -> Any:
        """Return one value."""
        if self.kind == "choice":
            return self.values[int(rng.integers(len(self.values)))]
        least, most = self.values
        if self.kind == "integers":
            return int(rng.integers(least, most, endpoint=True))
        if self.kind == "log":
            return float(f"{math.exp(rng.uniform(math.log(least), math.log(most))):.4g}")
        return float(f"{rng.uniform(least, most):.4g}")


def read_space(path: str | Path, plan: Plan) -> tuple[Axis, ...]:
    """Read what to try from YAML: a list of choices for a key, or ``{log: [1.0e-4, 1.0e-2]}``.

    Args:
        path: the file.
        plan: that the values are to be put into.

    Raises:
        InputError: the file cannot be read, or a key or value does not fit into the plan.
    """
    try:
        values = yaml.safe_load(Path(path).read_text())
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from None
    if not isinstance(values, Mapping) or not values:
        raise InputError(
            f"{path}: a space is a mapping from keys of the plan to what they may be, such as "
            "'training.learning_rate: {log: [1.0e-4, 1.0e-2]}'"
        )
    axes = tuple(_axis(path, str(name), value) for name, value in values.items())
    for axis in axes:
        _try(path, axis, plan)
    return axes


def _axis(path: str | Path, name: str, value: Any) -> Axis:
    if any(name == fixed or name.startswith(f"{fixed}.") for fixed in _FIXED):
        raise InputError(
            f"{path}: {name} is the same in all trials, so that their scores can be compared; "
            "leave it out"
        )
    if isinstance(value, list) and value:
        return Axis(name, "choice", tuple(map(_plain, value)))
    if isinstance(value, Mapping) and len(value) == 1:
        kind, ends = next(iter(value.items()))
        if kind in _RANGES and isinstance(ends, list) and len(ends) == 2:
            return Axis(name, kind, _ends(path, name, kind, ends))
    raise InputError(
        f"{path}: {name} takes a list of choices, or one of "
        f"{', '.join(f'{{{kind}: [LEAST, MOST]}}' for kind in _RANGES)}"
    )


def _plain(value: Any) -> Any:
    """Return a number that YAML takes for text, such as 1e-3, as a number."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return tuple(value) if isinstance(value, list) else value


def _ends(path: str | Path, name: str, kind: str, ends: Sequence[Any]) -> tuple[Any, ...]:
    try:
        least, most = (int(end) if kind == "integers" else float(end) for end in ends)
    except (TypeError, ValueError):
        raise InputError(f"{path}: {name} has no two numbers in {kind}") from None
    if not least < most or (kind == "log" and least <= 0) or not math.isfinite(most):
        above = " above 0" if kind == "log" else ""
        raise InputError(f"{path}: {name} needs two ascending numbers{above} in {kind}")
    return least, most


def _try(path: str | Path, axis: Axis, plan: Plan) -> None:
    for value in axis.values:
        try:
            plans.override(plan, {axis.name: value})
        except InputError as error:
            reason = str(error).removeprefix("plan: ")
            raise InputError(f"{path}: {axis.name} {value!r}: {reason}") from None


def draw(axes: Sequence[Axis], seed: int, trial: int) -> dict[str, Any]:
    """Return the values of a trial by name; the same whichever trials there are beside it."""
    rng = np.random.default_rng([seed, trial])
    return {axis.name: axis.draw(rng) for axis in axes}
