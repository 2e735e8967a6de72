"""What is found out of an integer file while others verify it: MLTK's figures, and its boards."""

from __future__ import annotations

import importlib
import logging
from typing import Any

from tinyseg.errors import InputError
from tinyseg.profiling import mltk
from tinyseg.steps.profile import add_cycles
from tinyseg.steps.verdict import fits
from tinyseg.tflite import TfliteModel

log = logging.getLogger(__name__)

# MLTK's figures and its own report; neither where it does not take part.
Profile = tuple[dict[str, Any], str] | tuple[None, None]


def takes_part(asked: bool | None) -> bool:
    """Find out whether MLTK profiles files; None for where it is installed.

    Raises:
        InputError: it is asked for and missing.
    """
    if asked is False:
        return False
    try:
        mltk.mltk_python()
    except InputError as error:
        if asked:
            raise
        log.warning("not profiled: %s", error)
        return False
    return True


def look_at(model: TfliteModel, profiled: bool) -> tuple[Profile, list[str]]:
    """Profile a file, find the boards that it fits, and load what draws its report.

    One after the other: MLTK has a process of its own, and leaves Python's lock to those who start
    TFLM in the meantime, which takes longest.

    Args:
        model: parsed file.
        profiled: whether MLTK takes part.

    Returns:
        MLTK's figures, and lines for people as of :func:`tinyseg.steps.verdict.fits`.
    """
    profile = _profile(model) if profiled else (None, None)
    boards = fits(model)
    # Matplotlib's import takes a while, for which nobody waits yet.
    importlib.import_module("tinyseg.reporting.run_report")
    return profile, boards


def _profile(model: TfliteModel) -> Profile:
    """Profile a file; MLTK refusing it (it lacks int16 kernels) must not cost the report."""
    try:
        record, text = mltk.profile(model)
        add_cycles(record, model)
        return record, text
    except InputError as error:
        log.warning("%s; the report goes without MLTK's figures", error)
        return None, None
