"""What a network's output means: which of its numbers say where or what something is."""

from __future__ import annotations

import dataclasses
import enum
from typing import NamedTuple

import cv2
import numpy as np

from tinyseg.decision import Peaks, decide
from tinyseg.operating_point import OperatingPoint


class Head(enum.StrEnum):
    """The kinds of outputs that can be read, by the names that ``--head`` takes."""

    SIGMOID = "sigmoid"
    LOGITS = "logits"
    SOFTMAX = "softmax"
    SOFTMAX_LOGITS = "softmax-logits"
    LABELS = "labels"
    CLASSES = "classes"
    NONE = "none"

    @property
    def exclusive(self) -> bool:
        """Whether a pixel has one class, the first of which is the background."""
        return self in (Head.SOFTMAX, Head.SOFTMAX_LOGITS, Head.LABELS)


# For people, in the order of the names.
HEADS = {
    Head.SIGMOID: "a probability for each region",
    Head.LOGITS: "a score for each region, which is there above 0",
    Head.SOFTMAX: "probabilities of classes, the first is the background",
    Head.SOFTMAX_LOGITS: "scores of classes, the first is the background",
    Head.LABELS: "the number of the class, 0 is the background",
    Head.CLASSES: "the classes of a whole image",
    Head.NONE: "neither masks nor classes",
}


class MapLayout(NamedTuple):
    """How a map of pixels is stored.

    Attributes:
        height, width, channels: of the map.
        first: whether channels come before rows and columns.
    """

    height: int
    width: int
    channels: int
    first: bool = False

    def maps(self, values: np.ndarray) -> np.ndarray:
        """Return values ``(n, ...)`` as ``(n, height, width, channels)``."""
        if self.first:
            shape = (len(values), self.channels, self.height, self.width)
            return np.moveaxis(values.reshape(shape), 1, -1)
        return values.reshape(len(values), self.height, self.width, self.channels)

    def mirrored(self, values: np.ndarray) -> np.ndarray:
        """Return values ``(n, ...)`` with left and right of the map exchanged."""
        rest = (self.width,) if self.first else (self.width, self.channels)
        rows = values.reshape(len(values), -1, *rest)
        return rows[:, :, ::-1].reshape(values.shape)


@dataclasses.dataclass(frozen=True)
class Meaning:
    """How the values of an output become masks or classes.

    Attributes:
        head: what kind they are.
        layout: of a mask; None of classes.
        classes: of an exclusive head with the background, or of a whole image; 0 if unknown.
        background: whether the first class of an exclusive head is the background.
        output: which of the file's outputs it is.
    """

    head: Head
    layout: MapLayout | None = None
    classes: int = 0
    background: bool = True
    output: int = 0

    def __str__(self) -> str:
        return f"{self.head} ({HEADS[self.head]})"

    @property
    def task(self) -> str | None:
        """``segmentation``, ``classification``, or None."""
        if self.head is Head.NONE:
            return None
        return "classification" if self.layout is None else "segmentation"

    @property
    def regions(self) -> int:
        """Number of regions that are marked; 0 if that is unknown, or there are no masks."""
        if not self.head.exclusive:
            return self.layout.channels if self.layout else 0
        return max(0, self.classes - self.background)

    @property
    def by_threshold(self) -> bool:
        """Whether a threshold decides, not which of several classes is the likeliest."""
        if self.head in (Head.SIGMOID, Head.LOGITS):
            return True
        binary = self.classes == 2 and self.background
        return binary and self.head in (Head.SOFTMAX, Head.SOFTMAX_LOGITS)

    def marking(self, regions: int) -> Meaning:
        """Return the reading for images with so many regions.

        Images with as many regions as there are classes have no background among these.
        """
        if self.head is Head.LABELS and not self.classes:
            return dataclasses.replace(self, classes=regions + 1)
        if self.head.exclusive and self.classes == regions > 1:
            return dataclasses.replace(self, background=False)
        return self

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        """Return real outputs as probabilities of all classes, the background included.

        Args:
            outputs: float32 ``(n, ...)``.

        Returns:
            float32 ``(n, height, width, channels)`` or ``(n, classes)``; 0 and 1 of labels.
        """
        values = np.asarray(outputs, np.float32)
        if self.layout is None:
            return self._of_image(values.reshape(len(values), -1))
        maps = self.layout.maps(values)
        if self.head is Head.LABELS:
            return self._one_hot(maps)
        if self.head is Head.LOGITS:
            return _sigmoid(maps)
        return _softmax(maps) if self.head is Head.SOFTMAX_LOGITS else maps

    def mirrored(self, outputs: np.ndarray) -> np.ndarray:
        """Return outputs ``(n, ...)`` as they are with left and right of a mask exchanged."""
        return outputs if self.layout is None else self.layout.mirrored(outputs)

    def regions_of(self, outputs: np.ndarray, size: tuple[int, int] | None = None) -> np.ndarray:
        """Return what decides: values above the threshold are foreground, or the class.

        Args:
            outputs: real values float32 ``(n, ...)``.
            size: height and width to stretch the probabilities of a mask to, before they decide.

        Returns:
            float32 ``(n, height, width, regions)`` or ``(n, classes)``. Where the likeliest of
            three classes or more decides, 1 for it and 0 for the others.
        """
        found = self.probabilities(outputs)
        if self.layout is None:
            return found
        if size is not None:
            found = np.stack([enlarge(maps, size) for maps in found])
        if self.head.exclusive and not self.by_threshold:
            likeliest = found.argmax(-1)
            found = (likeliest[..., None] == np.arange(found.shape[-1])).astype(np.float32)
        return self.without_background(found)

    def masks(
        self, outputs: np.ndarray, point: OperatingPoint, size: tuple[int, int] | None = None
    ) -> np.ndarray:
        """Return the masks of an output at an operating point.

        The point works at the network's size, as on a board. For masks of another size the
        probabilities are stretched, those of parts that the point leaves out as 0; then what the
        point found in the network's own map decides. Where the likeliest of three classes or more
        decides, the point sees their masks, 1 and 0, at the size wanted.

        Args:
            outputs: real values float32 ``(n, ...)`` of an output of masks.
            point: see :func:`tinyseg.decision.decide`.
            size: height and width of the masks; None for the network's.

        Returns:
            bool ``(n, height, width, regions)``.
        """
        own = size is None or self.layout is None or size == (self.layout.height, self.layout.width)
        if own or point.is_plain or not self.by_threshold:
            return decide(self.regions_of(outputs, size), point)
        assert size is not None  # Else it is the network's own.
        found = self.regions_of(outputs)
        peaks = Peaks.of(found, point)
        left_out = peaks.foreground(found) & ~peaks.parts(found)
        known = np.where(left_out, np.float32(0), found)
        return peaks.foreground(np.stack([enlarge(maps, size) for maps in known]))

    def without_background(self, probabilities: np.ndarray) -> np.ndarray:
        """Leave the background out of ``(..., channels)``, if it is among them."""
        inside = self.head.exclusive and self.background
        return probabilities[..., 1:] if inside else probabilities

    def bound(self, threshold: float) -> float | None:
        """Return the real output above which an element is foreground.

        None if no single value does, as where the likeliest of several classes decides.
        """
        if self.head is Head.LOGITS:
            with np.errstate(divide="ignore"):
                return float(np.log(np.float64(threshold)) - np.log(np.float64(1 - threshold)))
        if self.head is Head.LABELS:
            return 0.5
        return threshold if self.head in (Head.SIGMOID, Head.SOFTMAX, Head.CLASSES) else None

    def _of_image(self, values: np.ndarray) -> np.ndarray:
        if self.head is Head.LABELS:
            return self._one_hot(values)
        if values.shape[1] == 1:
            return np.concatenate([1 - values, values], axis=1)
        inside = values.min() >= -0.01 and values.max() <= 1.01
        return values if inside else _softmax(values)

    def _one_hot(self, values: np.ndarray) -> np.ndarray:
        labels = np.round(values[..., 0])
        classes = self.classes or max(2, int(labels.max()) + 1)
        return (labels[..., None] == np.arange(classes)).astype(np.float32)


def plain(shape: tuple[int, ...]) -> Meaning:
    """Return the reading of probabilities ``(n, height, width, regions)`` or ``(n, classes)``."""
    if len(shape) == 4:
        return Meaning(Head.SIGMOID, MapLayout(*shape[1:]))
    return Meaning(Head.CLASSES, classes=max(2, shape[1]))


def enlarge(maps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Stretch maps of probabilities to another size.

    Args:
        maps: float32 ``(height, width, channels)``.
        size: height and width wanted.

    Returns:
        float32 ``(*size, channels)``; bilinear, area averaging when shrinking.
    """
    if maps.shape[:2] == tuple(size):
        return maps
    shrinks = maps.shape[0] * maps.shape[1] > size[0] * size[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    channels = np.moveaxis(np.asarray(maps, np.float32), -1, 0)
    stretched = [
        cv2.resize(np.ascontiguousarray(channel), size[::-1], interpolation=how)
        for channel in channels
    ]
    return np.stack(stretched, axis=-1)


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return np.float32(0.5) * (1 + np.tanh(values / 2))


def _softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values - values.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)
