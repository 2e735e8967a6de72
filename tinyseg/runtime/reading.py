"""Find what the outputs of a file mean, from their shapes, types and operators; or ask."""

from __future__ import annotations

from collections.abc import Sequence

from tinyseg.errors import InputError
from tinyseg.runtime.meaning import HEADS, Head, MapLayout, Meaning
from tinyseg.tflite.border import Outline, Range, image_shape, outlines
from tinyseg.tflite.model import TfliteModel

# Shares of a side by which the sides of a map may deviate from the image's, as rounding makes them.
_SKEW = 0.06
_UNIT, _SURE = (-0.01, 1.05), 0.9
_OUTPUT = "--mask-output"
_PROBABILITIES = ("sigmoid", "softmax")


def meaning_of(model: TfliteModel, head: Head | None = None, output: int | None = None) -> Meaning:
    """Return what a file's output means.

    Args:
        model: parsed file.
        head: what the user says; None to find out.
        output: which output; None for the one that is a mask, or else classes.

    Raises:
        InputError: it is not known, or the output cannot be what the user says.
    """
    shape = image_shape(model.inputs[0].shape) if len(model.inputs) == 1 else None
    return read(model.path, outlines(model), shape and shape[:2], head, output)


def read(
    path: str,
    found: Sequence[Outline],
    size: tuple[int, int] | None,
    head: Head | None = None,
    output: int | None = None,
) -> Meaning:
    """Return what one of several outputs means.

    Args:
        path: of the network, for messages.
        found: its outputs.
        size: height and width of the image that it takes; None if it takes no image.
        head, output: see :func:`meaning_of`.

    Raises:
        InputError: see there.
    """
    numbers = range(len(found)) if output is None else [output]
    if output is not None and not 0 <= output < len(found):
        raise InputError(f"{path}: {_OUTPUT} {output}: it has outputs 0 to {len(found) - 1}")
    readings = [_Reading(path, number, found[number], size) for number in numbers]
    if head is not None:
        fitting = [reading for reading in readings if reading.refusal(head) is None]
        if not fitting:
            raise InputError(readings[0].refusal(head))
        return _only(path, [reading.as_stated(head) for reading in fitting], readings)
    known = [meaning for reading in readings if (meaning := reading.guess()) is not None]
    for task in ("segmentation", "classification"):
        if chosen := [meaning for meaning in known if meaning.task == task]:
            return _only(path, chosen, readings)
    for reading in readings:
        reading.ask()
    return Meaning(Head.NONE, output=output or 0)


def _only(path: str, meanings: list[Meaning], readings: list[_Reading]) -> Meaning:
    if len(meanings) == 1 or meanings[0].head is Head.NONE:
        return meanings[0]
    names = [f"{meaning.output} {_text(readings, meaning)}" for meaning in meanings]
    raise InputError(
        f"{path}: {len(names)} outputs could be meant ({'; '.join(names)}); {_OUTPUT} N"
    )


def _text(readings: list[_Reading], meaning: Meaning) -> str:
    outline = next(r.outline for r in readings if r.number == meaning.output)
    return f"'{outline.name}' {outline.shape} {meaning.head}"


class _Reading:
    """One output, and what it can be."""

    def __init__(
        self, path: str, number: int, outline: Outline, size: tuple[int, int] | None
    ) -> None:
        self.number, self.outline = number, outline
        self._where = f"{path}: output {outline.shape}"
        self._layout = None if size is None else layout_of(outline.shape, size)

    def guess(self) -> Meaning | None:
        """Return what the output is, None if it is neither mask nor classes or is not known."""
        head = self._mask_head(self._layout) if self._layout else self._image_head()
        return None if head is None else self.as_stated(head)

    def as_stated(self, head: Head) -> Meaning:
        """Return the reading of a head that fits, see :meth:`refusal`."""
        layout = None if head in (Head.CLASSES, Head.NONE) else self._layout
        classes = 0
        if head is Head.LABELS:
            classes = 2 if self._activation == "bool" else self.outline.classes
        elif head is Head.CLASSES:
            classes = max(2, _product(self.outline.shape))
        elif layout and head.exclusive:
            classes = layout.channels
        return Meaning(head, layout, classes, output=self.number)

    def refusal(self, head: Head) -> str | None:
        """Return why the output cannot have a head, None if it can."""
        if head in (Head.CLASSES, Head.NONE):
            return None
        if self._layout is None:
            if head is Head.LABELS and _product(self.outline.shape) == 1 < self.outline.classes:
                return None
            return f"{self._where} has no height and width of the image for --head {head}"
        if head is Head.LABELS and self._layout.channels != 1:
            return f"{self._where} has {self._layout.channels} channels, --head labels takes one"
        if head in (Head.SOFTMAX, Head.SOFTMAX_LOGITS) and self._layout.channels < 2:
            return f"{self._where} has one channel, --head {head} takes two or more"
        return self._contradiction(head)

    def _contradiction(self, head: Head) -> str | None:
        """Return how the values that an output can hold contradict a head, None if they do not."""
        made = self._activation
        if head in (Head.LOGITS, Head.SOFTMAX_LOGITS, Head.LABELS) and made in _PROBABILITIES:
            return f"{self._where} holds probabilities ({made}), which --head {head} does not take"
        stored = self.outline.range
        if head in (Head.SIGMOID, Head.SOFTMAX) and stored and not _within_unit(stored):
            reach = f"{stored.low:.4g} to {stored.high:.4g}"
            return f"{self._where} holds {reach}, --head {head} takes probabilities"
        return None

    def ask(self) -> None:
        """Raise an InputError if the output could be a mask, but which kind is not known."""
        if self._layout is not None:
            fitting = [head for head in HEADS if self.refusal(head) is None]
            choices = ", ".join(f"{head} ({HEADS[head]})" for head in fitting)
            raise InputError(f"{self._where} does not say what it means; say --head: {choices}")

    @property
    def _activation(self) -> str:
        return self.outline.activation

    def _mask_head(self, layout: MapLayout) -> Head | None:
        if self._holds_labels():
            return Head.LABELS if layout.channels == 1 else None
        alone = layout.channels == 1
        if self._activation == "sigmoid":
            return Head.SIGMOID
        whole = self.outline.classes == layout.channels > 1
        if self._activation in ("softmax", "log_softmax"):
            named = Head.SOFTMAX if self._activation == "softmax" else Head.SOFTMAX_LOGITS
            return named if whole else None
        stored = self.outline.range
        if not alone or (stored is None and self._activation != "linear"):
            return None
        if stored and stored.low >= _UNIT[0]:
            # Scores that happen to be positive seldom end where probabilities do.
            ends = self._activation != "linear" or stored.high >= _SURE
            return Head.SIGMOID if ends and _within_unit(stored) else None
        return Head.LOGITS if self._activation == "linear" else None

    def _image_head(self) -> Head | None:
        values = _product(self.outline.shape)
        if self._holds_labels():
            return Head.LABELS if values == 1 < self.outline.classes else None
        if len([size for size in self.outline.shape if size > 1]) > 1:
            return None
        exclusive = self._activation in ("softmax", "log_softmax")
        if exclusive and self.outline.classes == values > 1:
            return Head.CLASSES
        return Head.CLASSES if self._activation == "sigmoid" else None

    def _holds_labels(self) -> bool:
        integers = self.outline.dtype in ("int32", "int64", "uint32", "bool")
        bare = self.outline.dtype in ("uint8", "int8", "int16") and self.outline.range is None
        return self._activation in ("labels", "bool") or integers or bare


def _within_unit(limits: Range) -> bool:
    return _UNIT[0] <= limits.low and limits.high <= _UNIT[1]


def layout_of(shape: tuple[int, ...], size: tuple[int, int]) -> MapLayout | None:
    """Return how an output stores a map of an image; None if its shape is not that of one.

    Args:
        shape: of the output, with the batch of 1 in front.
        size: height and width of the image; those of the map are in the same proportion.
    """
    sizes = shape[1:]
    pixels = size[0] * size[1]
    if len(sizes) == 3 and _similar(sizes[:2], size):
        return MapLayout(*sizes)
    if len(sizes) == 3 and _similar(sizes[1:], size):
        return MapLayout(sizes[1], sizes[2], sizes[0], first=True)
    if len(sizes) == 2 and sizes[0] == pixels:
        return MapLayout(*size, sizes[1])
    if len(sizes) == 2 and sizes[1] == pixels:
        return MapLayout(*size, sizes[0], first=True)
    if len(sizes) == 2 and _similar(sizes, size):
        return MapLayout(*sizes, 1)
    return MapLayout(*size, 1) if sizes == (pixels,) and pixels > 1 else None


def _similar(sides: tuple[int, ...], size: tuple[int, int]) -> bool:
    """Return whether a map has the proportions of an image."""
    if min(sides) < 2:
        return False
    height, width = (side / whole for side, whole in zip(sides, size, strict=True))
    return abs(height - width) <= _SKEW * max(height, width)


def _product(shape: tuple[int, ...]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count
