"""What goes into a file and what comes out: as stored, as the file itself says, or as stated."""

from __future__ import annotations

import dataclasses
import logging
from typing import Any

import numpy as np

from tinyseg.errors import InputError
from tinyseg.plan import PreprocessingPlan
from tinyseg.runtime.meaning import HEADS, Head, Meaning
from tinyseg.runtime.reading import meaning_of
from tinyseg.steps.conventions import Scaling, convention, fits
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.border import Range, image_shape, input_range
from tinyseg.tflite.metadata import NAME, normalization

log = logging.getLogger(__name__)

Numbers = float | tuple[float, ...]


class UntoldError(InputError):
    """A file does not say what becomes of pixels."""


@dataclasses.dataclass(frozen=True)
class Stated:
    """What a user says of a file; None for what is to be found out.

    Attributes:
        scale, offset: input = pixel 0..255 * scale + offset; a value, or one for each channel.
        threshold: probabilities strictly above it are foreground.
        head: what the output means.
        output: which of several outputs it is.
    """

    scale: Numbers | None = None
    offset: Numbers | None = None
    threshold: float | None = None
    head: Head | None = None
    output: int | None = None

    @classmethod
    def of(
        cls, *, head: str | None = None, mask_output: int | None = None, **values: Any
    ) -> Stated:
        """Return what options say, the head by its name.

        Raises:
            InputError: no such head or option.
        """
        try:
            named = None if head is None else Head(head)
            return cls(head=named, output=mask_output, **values)
        except (TypeError, ValueError) as error:
            names = ", ".join(Head)
            raise InputError(f"{error}; heads are {names}") from None

    def over(self, planned: PreprocessingPlan) -> PreprocessingPlan:
        """Return a plan's preprocessing with what the user says instead."""
        given = {name: getattr(self, name) for name in ("scale", "offset", "threshold")}
        known = {name: value for name, value in given.items() if value is not None}
        return dataclasses.replace(planned, **known)


def settle_input(
    model: TfliteModel, planned: PreprocessingPlan, stored: bool, stated: Stated
) -> PreprocessingPlan:
    """Return how pixels become a file's input, and probabilities its mask.

    Args:
        model: parsed file.
        planned: size, and the rest if it is ``stored``.
        stored: whether a plan came with the file.
        stated: what the user says, before all else.

    Raises:
        InputError: it is not known, or contradicts what the file's input can hold.
    """
    need_image(model)
    limits = input_range(model)
    found = Scaling(planned.scale, planned.offset) if stored else None
    source = "the stored plan"
    if not stored and not (stated.scale is not None and stated.offset is not None):
        found, source = _found(model, limits, planned.channels)
    scale, offset = stated.scale, stated.offset
    if scale is None:
        if found is None:
            raise UntoldError(f"{model.path}: {_question(limits, source)}")
        scale = found.scale
    if offset is None:
        offset = found.offset if found else 0.0
    scaling = Scaling(scale, offset)
    if stated.scale is not None or stated.offset is not None:
        source = "--scale and --offset"
    elif not stored:
        log.info("%s: input = %s, by %s", model.path, scaling, source)
    _hold(model.path, scaling, planned.channels, limits, source)
    planned = dataclasses.replace(planned, scale=scaling.scale, offset=scaling.offset)
    return dataclasses.replace(stated, scale=None, offset=None).over(planned)


def need_image(model: TfliteModel) -> None:
    """Raise an InputError unless a file takes one image."""
    if not takes_image(model):
        raise InputError(f"{model.path}: the input is not one image (1, height, width, channels)")


def takes_image(model: TfliteModel) -> bool:
    """Return whether the one input of a file is an image."""
    return len(model.inputs) == 1 and image_shape(model.inputs[0].shape) is not None


def settle_output(model: TfliteModel, stored: bool, stated: Stated) -> Meaning:
    """Return what a file's output means.

    Args:
        model, stored, stated: as of :func:`settle_input`.

    Raises:
        InputError: it is not known, or is not what the user says.
    """
    found = meaning_of(model, stated.head, stated.output)
    if not stored and stated.head is None:
        log.info("%s: output %s: %s", model.path, model.outputs[found.output].shape, found)
    if stated.threshold is not None and found.head is not Head.NONE and not found.by_threshold:
        raise InputError(
            f"{model.path}: --threshold: the output is {HEADS[found.head]}, of which the likeliest "
            "decides; leave it out"
        )
    return found


def _found(model: TfliteModel, limits: Range | None, channels: int) -> tuple[Scaling | None, str]:
    """Return what the file says of its input, and where; else why it says nothing."""
    metadata = normalization(model)
    if metadata is not None:
        std, mean = np.array(metadata.std), np.array(metadata.mean)
        return Scaling(_numbers(1 / std), _numbers(-mean / std)), f"its metadata ({NAME})"
    if limits is None:
        return None, "it does not state the range of its input"
    source = f"its input's range of {_text(limits)}"
    return convention(limits, channels), source


def _hold(path: str, scaling: Scaling, channels: int, limits: Range | None, source: str) -> None:
    """Raise an InputError if an input cannot hold what pixels become."""
    for count in (np.size(scaling.scale), np.size(scaling.offset)):
        if count not in (1, channels):
            raise InputError(f"{path}: {source}: {count} values for {channels} channels; give one")
    if limits is None:
        return
    low, high = scaling.ends()
    if fits(low, high, limits):
        return
    known = convention(limits, channels)
    cure = f"--scale {known.scale_text} --offset {known.offset_text}" if known else "state others"
    raise InputError(
        f"{path}: its input holds {_text(limits)} but by {source} pixels become "
        f"{low:.4g} to {high:.4g}; {cure}"
    )


def _question(limits: Range | None, why: str) -> str:
    if limits is None:
        return f"{why}; state --scale and --offset (input = pixel 0..255 * scale + offset)"
    guess = Scaling((limits.high - limits.low) / 255, limits.low)
    if limits.symmetric:
        guess = Scaling(limits.high / 255, 0.0)
    return (
        f"{why} is that of no usual preprocessing; state --scale and --offset (input = pixel "
        f"0..255 * scale + offset; {guess.scale_text} and {guess.offset_text} if that range "
        "is 0..255)"
    )


def _text(limits: Range) -> str:
    return f"{limits.low:.4g} to {limits.high:.4g}"


def _numbers(values: np.ndarray) -> Numbers:
    return float(values[0]) if len(values) == 1 else tuple(map(float, values))
