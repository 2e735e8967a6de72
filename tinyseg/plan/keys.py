"""Every key of a plan, with what its docstring says: for its page and for ``--set``."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from tinyseg.plan import Plan
from tinyseg.plan.limits import LIMITS

# Filled in by the commands that write a plan.
_WRITTEN = ("provenance", "files")
_ENTRY = re.compile(r"^    (\w+(?:, \w+)*): (.*?)(?=^    \w+(?:, \w+)*: |^\S|\Z)", re.M | re.S)


class Key(NamedTuple):
    """One value of a plan.

    Attributes:
        name: dotted, as ``--set`` takes it.
        default: the value where none is given.
        takes: the numbers that it may be; empty if any.
        meaning: a sentence or two.
    """

    name: str
    default: Any
    takes: str
    meaning: str


def keys() -> list[Key]:
    """Return every key that a user may set, part by part."""
    return list(_keys(Plan(), ""))


def _keys(part: Any, prefix: str) -> Iterator[Key]:
    told = meanings(type(part))
    for field in dataclasses.fields(part):
        name, value = f"{prefix}{field.name}", getattr(part, field.name)
        if dataclasses.is_dataclass(value):
            yield from _keys(value, f"{name}.")
        elif name not in _WRITTEN:
            yield Key(name, value, str(LIMITS.get(name, "")), told[field.name])


def meanings(kind: type) -> dict[str, str]:
    """Return what the docstrings of a dataclass and of its bases say of each attribute.

    Args:
        kind: a part of the plan.
    """
    told: dict[str, str] = {}
    for part in reversed(kind.__mro__):
        _, _, listed = inspect.cleandoc(part.__doc__ or "").partition("Attributes:\n")
        for names, text in _ENTRY.findall(listed):
            told |= dict.fromkeys(names.split(", "), " ".join(text.split()))
    return told
