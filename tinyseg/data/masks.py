"""What the pixels of one mask file hold: values, indices of a palette, colours, or shades."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from PIL import Image

from tinyseg.data import images
from tinyseg.errors import InputError

Form = Literal["plain", "labels", "shades"]
# A colour red << 16 | green << 8 | blue stands above all grey values; black is 0.
COLOUR = 1 << 24
# Nobody's white is as dark as that, so that such whole numbers are labels.
GREATEST_LABEL = 64
# Shares of pixels whose four neighbours are equal: of labels half and more, of smoothed edges none.
_FLAT = 0.15
_FEW = 4
_FIRST = 3
_MOST_COLOURS = 256
_GREY_WITHIN = 8
_LOSSY_GREY_WITHIN = 64
_SAME_WITHIN = 4
_LEAST_PLATEAU = 0.002
# What is white by depth: of one bit, of 8 bits, of more bits, of real numbers.
WHITES = {"1": 1.0, "8": 255.0, "16": 65535.0, "real": 1.0}
_LOSSY = (".jpg", ".jpeg", ".webp")


@dataclasses.dataclass(frozen=True)
class MaskPixels:
    """A mask as it is stored.

    Attributes:
        values: ``(height, width)``: grey values, indices, or colours with :data:`COLOUR`.
        brightness: the brightest colour of each pixel; the values themselves if they are grey.
        kind: which of these the values are.
        depth: ``1``, ``8``, ``16`` or ``real``, see :data:`WHITES`.
        lossy: whether the file format blurs values, as JPEG does.
    """

    values: np.ndarray
    brightness: np.ndarray
    kind: Literal["grey", "index", "colour"]
    depth: str
    lossy: bool


@dataclasses.dataclass(frozen=True)
class Levels:
    """Which values a mask holds.

    Attributes:
        path: of the file.
        form: ``plain`` for one value and background, ``labels`` for several areas of one value
            each, ``shades`` for two levels with noise or smoothed edges between them.
        values: those that are not 0; of shades the least and the greatest.
        zero: whether background is there.
        kind, depth, lossy: see :class:`MaskPixels`.
        plateau: whether shades have an even area between black and white.
        count: number of different values.
        first: the least of them.
        instances: whether the labels are numbered from 1 on, one connected area each.
        share: of the pixels that are not 0.
    """

    path: Path
    form: Form
    values: tuple[float, ...]
    zero: bool
    kind: str
    depth: str
    lossy: bool
    plateau: bool = False
    count: int = 0
    first: tuple[float, ...] = ()
    instances: bool = False
    share: float = 0.0


def open_mask(path: Path, page: int | None = None) -> MaskPixels:
    """Read a mask file.

    Raises:
        InputError: it cannot be decoded, or holds NaN or infinity.
    """
    return mask_pixels(images.open_image(path, page), path)


def mask_pixels(image: Image.Image, path: Path) -> MaskPixels:
    """Return what an open mask file holds, alpha ignored; see :func:`open_mask`.

    A palette's indices count, as long as 0 is its black or nothing is; of grey palettes the shades.
    """
    lossy = path.suffix.lower() in _LOSSY
    if image.mode in ("P", "PA"):
        indices = np.asarray(image.getchannel(0) if image.mode == "PA" else image)
        if _is_index(indices, image):
            brightness = np.asarray(image.convert("RGB")).max(-1)
            return MaskPixels(indices, brightness, "index", "8", lossy)
    if image.mode not in ("1", "L", "LA", "F") and not images.deep_kind(image):
        return _colours(np.asarray(image.convert("RGB")), lossy)
    values = np.asarray(image)
    if image.mode == "LA":
        values = values[..., 0]
    if not np.isfinite(values).all():
        raise InputError(f"{path}: holds NaN or infinity; repair or remove it")
    if values.dtype == bool:
        depth, values = "1", values.astype(np.uint8)
    else:
        depth = "real" if values.dtype.kind == "f" else "8" if values.dtype == np.uint8 else "16"
    return MaskPixels(values, values, "grey", depth, lossy)


def _is_index(indices: np.ndarray, image: Image.Image) -> bool:
    used = np.unique(indices)
    listed = (image.getpalette("RGB") or [])[: 3 * 256]
    palette = np.array([*listed, *[0] * (3 * 256 - len(listed))], int).reshape(256, 3)
    colours = palette[used]
    if len(np.unique(colours, axis=0)) < len(used):
        return True
    if len(used) > _FEW and not _even(indices):  # A picture, or smoothed edges.
        return False
    black = (colours == 0).all(-1)
    grey = (np.ptp(colours, axis=-1) <= _GREY_WITHIN).all()
    return not grey and (not palette[0].any() or not black.any())


def _colours(pixels: np.ndarray, lossy: bool) -> MaskPixels:
    """Return the values of an RGB mask: grey ones, colours if they are few, or shades."""
    brightness = pixels.max(axis=-1)
    spread = int((brightness - pixels.min(axis=-1)).max())
    if spread > (_LOSSY_GREY_WITHIN if lossy else _GREY_WITHIN):
        wide = pixels.astype(np.int32)
        packed = wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]
        if len(np.unique(packed)) <= _MOST_COLOURS and not lossy:
            values = np.where(packed > 0, packed | COLOUR, 0)
            if _even(values):
                return MaskPixels(values, brightness, "colour", "8", lossy)
    return MaskPixels(brightness, brightness, "grey", "8", lossy)


def _even(values: np.ndarray) -> bool:
    """Return whether colours or indices are labels: one alone, or several that fill areas."""
    colours = np.unique(values[values > 0])
    if len(colours) <= 1:
        return True
    areas = flat(values)
    filled = [colour for colour in colours if areas[values == colour].mean() >= _FLAT]
    return len(filled) > 1


def flat(values: np.ndarray) -> np.ndarray:
    """Return which pixels have the value of all their four neighbours, bool ``(h, w)``."""
    even = np.ones(values.shape, bool)
    across, down = values[:, 1:] == values[:, :-1], values[1:] == values[:-1]
    even[:, 1:] &= across
    even[:, :-1] &= across
    even[1:] &= down
    even[:-1] &= down
    return even


def levels(pixels: MaskPixels, path: Path) -> Levels:
    """Return which values a mask holds, and whether they are labels or shades.

    Args:
        pixels: of the mask.
        path: of its file.
    """
    values = pixels.values
    found = np.unique(values)
    marked = found[found != 0]
    listed, zero = tuple(marked.tolist()), len(marked) < len(found)
    form = _form(pixels, marked)
    held = Levels(path, form, listed, zero, pixels.kind, pixels.depth, pixels.lossy)
    held = dataclasses.replace(held, count=len(found), first=tuple(found[:_FIRST].tolist()))
    held = dataclasses.replace(held, share=float((values != 0).mean()))
    if form == "shades":
        low, high = float(found[0]), float(found[-1])
        return dataclasses.replace(
            held, values=(low, high), zero=low <= high / 4, plateau=_plateau(values)
        )
    return dataclasses.replace(held, instances=form == "labels" and _numbered(values, listed))


def _form(pixels: MaskPixels, marked: np.ndarray) -> Form:
    """Distinguish labels from shades.

    Args:
        pixels: of the mask.
        marked: its values that are not 0, rising.
    """
    if pixels.lossy and len(marked):
        return "shades"
    if len(marked) <= 1:
        return "plain"
    if pixels.kind != "grey":
        return "labels"
    whole = np.array_equal(marked, np.round(marked))
    if not whole or marked[0] < 0:
        return "shades"
    if marked[-1] <= GREATEST_LABEL:
        return "labels"
    judged, white = marked[:-1], float(marked[-1])
    between = (marked > white / 8) & (marked < white * 7 / 8)
    if len(marked) > _FEW and between.any():
        judged = marked[between]  # Noise about black and white is no label.
    return "labels" if np.median(_flat_shares(pixels.values, judged)) >= _FLAT else "shades"


def _flat_shares(values: np.ndarray, judged: np.ndarray) -> np.ndarray:
    """Return which share of the pixels of each value has equal neighbours."""
    among = np.isin(values, judged)
    places = np.searchsorted(judged, values[among])
    counts = np.bincount(places, minlength=len(judged))
    return np.bincount(places, flat(values)[among], len(judged)) / counts


def _plateau(values: np.ndarray) -> bool:
    """Return whether there is an even area between a quarter and three quarters of the range."""
    wide = values.astype(np.float32)
    low, high = wide.min(), wide.max()
    square = np.ones((3, 3), np.uint8)
    spread = cv2.dilate(wide, square) - cv2.erode(wide, square)
    scale = max(float(high - low), 1e-9) / 255
    between = (wide > low + 64 * scale) & (wide < high - 64 * scale)
    even = between & (spread <= _SAME_WITHIN * scale)
    return bool(even.sum() > max(_LEAST_PLATEAU * even.size, square.size))


def _numbered(values: np.ndarray, marked: tuple[float, ...]) -> bool:
    """Return whether the values are 1, 2, 3 and so on and each of them is one connected area."""
    if marked != tuple(range(1, len(marked) + 1)):
        return False
    parts = (cv2.connectedComponents((values == value).astype(np.uint8))[0] - 1 for value in marked)
    return all(count == 1 for count in parts)
