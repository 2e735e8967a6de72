"""Whose run a folder holds: one at a time; the same plan goes on, any other is refused."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tinyseg import files
from tinyseg import plan as plans
from tinyseg.errors import InputError
from tinyseg.plan import Plan
from tinyseg.presets import WEIGHTS
from tinyseg.training.divergence import refuse_diverged

STATE = "checkpoint"
LOCK = "lock"
_SHOWN = 4


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other runs out of a folder, whatever their plan; a lock dies with its process.

    Raises:
        InputError: another run is training there, or the folder cannot be written.
    """
    path = folder / STATE / LOCK
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("a+")
    except OSError as error:
        raise InputError(
            f"{folder}: cannot write here ({error.strerror}); choose another folder with -o"
        ) from None
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            stream.seek(0)
            raise InputError(
                f"{folder}: process {stream.read().strip() or '?'} is training here; wait for it, "
                "or choose another folder with -o"
            ) from None
        stream.truncate(0)
        stream.write(f"{os.getpid()}\n")
        stream.flush()
        yield


def claim(folder: Path, plan: Plan) -> None:
    """Make sure that what the folder holds, if anything, belongs to this plan and can go on.

    A run of the same plan with fewer epochs goes on too; the cosine of the learning rate is then
    that of all epochs.

    Raises:
        InputError: it does not; the message names the settings that differ, or where the run
            diverged.
    """
    marker = folder / STATE / "request.json"
    wanted = dataclasses.replace(plan, provenance={}, files={})
    refuse_diverged(folder, folder / STATE)
    if not marker.is_file():
        files.write_json(marker, dataclasses.asdict(wanted))
        return
    stored = plans.read(marker)
    if _extended(stored, wanted):
        files.write_json(marker, dataclasses.asdict(wanted))
    elif stored != wanted:
        raise InputError(
            f"{folder}: holds a training run with other settings: {_differences(stored, wanted)}; "
            f"choose another folder with -o{_rescue(folder)}, or remove this one"
        )


def _extended(stored: Plan, wanted: Plan) -> bool:
    """Tell whether a run is asked for that differs in nothing but more epochs."""
    training = dataclasses.replace(stored.training, epochs=wanted.training.epochs)
    longer = wanted.training.epochs > stored.training.epochs
    return longer and dataclasses.replace(stored, training=training) == wanted


def _differences(stored: Plan, wanted: Plan) -> str:
    """Name the settings that differ, each with the value there and the one that is asked for."""
    old, new = (dict(_leaves(dataclasses.asdict(plan))) for plan in (stored, wanted))
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    shown = [
        f"{name} is {old.get(name)!r} there, {new.get(name)!r} here" for name in names[:_SHOWN]
    ]
    if len(names) > _SHOWN:
        shown.append(f"{len(names) - _SHOWN} more differ")
    return ", ".join(shown)


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of a plan by their dotted names."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _rescue(folder: Path) -> str:
    weights = folder / WEIGHTS
    return f" (and --weights {weights} to start from its weights)" if weights.is_file() else ""
