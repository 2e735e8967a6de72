"""Pictures of what a network has learned: filters, attention, masks, volumes."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from tinyseg.data.images import encode_image
from tinyseg.reporting.overlay import overlay
from tinyseg.reporting.pictures import encode_photo, error_map, plt

_TILE = 192
_CAPTION = 18
_FILTER = 40
_COLUMNS = 8
_SECOND = 1000
_PALETTE_FRAMES = 16
_WHITE = (255, 255, 255)


class Panel(NamedTuple):
    """One image with its truth and what a network made of it.

    Attributes:
        name: of the sample.
        image: uint8 ``(height, width, channels)``.
        truth: bool ``(height, width)``.
        probability: float in [0, 1], of the same shape.
        mask: bool, likewise.
        dice: of this image.
    """

    name: str
    image: np.ndarray
    truth: np.ndarray
    probability: np.ndarray
    mask: np.ndarray
    dice: float


def grey(image: np.ndarray) -> np.ndarray:
    """Return the mean of an image's channels, uint8 ``(height, width)``."""
    return image.mean(axis=-1).astype(np.uint8)


def panels(rows: Sequence[Panel]) -> bytes:
    """Draw image, truth, probability and errors of each, one row an image, as a JPEG."""
    figure, axes = plt.subplots(
        len(rows), 4, figsize=(10, 2.7 * len(rows)), squeeze=False, layout="constrained"
    )
    for row, line in zip(rows, axes, strict=True):
        base = grey(row.image)
        line[0].imshow(base, cmap="gray", vmin=0, vmax=255)
        line[1].imshow(overlay(base, row.truth[..., None]))
        heat = line[2].imshow(row.probability, cmap="inferno", vmin=0, vmax=1)
        bar = figure.colorbar(heat, ax=line[2], fraction=0.046, pad=0.02, ticks=[0, 0.5, 1])
        bar.ax.tick_params(labelsize=7)
        line[3].imshow(error_map(base / 255, row.truth, row.mask))
        errors = f"Dice {row.dice:.3f}\ngreen hit, red false, blue missed"
        titles = (row.name, "truth", "probability", errors)
        for axis, title in zip(line, titles, strict=True):
            axis.set_title(title, fontsize=8)
            axis.set_axis_off()
    return encode_photo(figure)


def filters(kernel: np.ndarray) -> bytes:
    """Draw the filters of a convolution as a PNG: grey is 0, white and black the largest weight.

    Args:
        kernel: float ``(height, width, channels, filters)``; three channels are shown as red,
            green and blue, others by their mean.
    """
    if kernel.shape[2] != 3:
        kernel = kernel.mean(axis=2, keepdims=True)
    largest = np.maximum(np.abs(kernel).max(axis=(0, 1, 2), keepdims=True), 1e-12)
    shown = np.round(127.5 * (1 + kernel / largest)).astype(np.uint8)
    count = kernel.shape[3]
    columns = min(count, _COLUMNS)
    lines = -(-count // columns)
    sheet = np.full((lines * (_FILTER + 4), columns * (_FILTER + 4), 3), 255, np.uint8)
    for number in range(count):
        top, left = (4 + _FILTER) * (number // columns) + 2, (4 + _FILTER) * (number % columns) + 2
        tile = cv2.resize(
            shown[..., number], (_FILTER, _FILTER), interpolation=cv2.INTER_NEAREST_EXACT
        )
        sheet[top : top + _FILTER, left : left + _FILTER] = tile.reshape(_FILTER, _FILTER, -1)
    return encode_image(sheet, ".png")


def attention_animation(
    image: np.ndarray, maps: Iterable[tuple[int, Mapping[str, np.ndarray]]]
) -> bytes:
    """Draw what each gate lets through of one image, one frame an epoch, as an animated GIF.

    Args:
        image: uint8 ``(height, width, channels)``.
        maps: epoch, 0 for weights as they are, and by the gate's name uint8
            ``(rows, columns)``; 0, drawn dark, lets nothing through, 255, drawn bright, everything.
    """
    base = _square(grey(image))
    first = (np.repeat(base[..., None], 3, axis=-1), "image")
    frames = []
    for epoch, gates in maps:
        tiles = [first, *((_heat(base, gate), name) for name, gate in gates.items())]
        frames.append(np.vstack([_frame(tiles, _when(epoch)), _scale(_TILE * len(tiles))]))
    return animate(frames, _SECOND // 2)


def _when(epoch: int) -> str:
    return f"epoch {epoch}" if epoch else "trained weights"


def _heat(base: np.ndarray, gate: np.ndarray) -> np.ndarray:
    enlarged = cv2.resize(gate, base.shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    colours = cv2.applyColorMap(enlarged, cv2.COLORMAP_INFERNO)[..., ::-1]
    return (0.35 * base[..., None] + 0.65 * colours).astype(np.uint8)


def _scale(width: int) -> np.ndarray:
    """Return a bar of a heat map's colours, uint8 RGB ``(_CAPTION, width, 3)``, with its ends."""
    ends = [_line(_TILE // 2, text) for text in ("nothing", "everything")]
    values = np.linspace(0, 255, width - _TILE).astype(np.uint8)
    ramp = cv2.applyColorMap(np.tile(values, (_CAPTION, 1)), cv2.COLORMAP_INFERNO)[..., ::-1]
    return np.hstack([ends[0], ramp, ends[1]])


def _frame(tiles: Sequence[tuple[np.ndarray, str]], footer: str) -> np.ndarray:
    """Set pictures side by side, a title above each and a line below all."""
    titled = [np.vstack([_line(_TILE, title), picture]) for picture, title in tiles]
    return np.vstack([np.hstack(titled), _line(_TILE * len(tiles), footer)])


def _line(width: int, text: str) -> np.ndarray:
    strip, place = np.zeros((_CAPTION, width, 3), np.uint8), (4, _CAPTION - 5)
    return cv2.putText(strip, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, _WHITE, 1, cv2.LINE_AA)


def _square(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, (_TILE, _TILE), interpolation=cv2.INTER_AREA)


def volume_animation(
    images: np.ndarray, truths: np.ndarray, masks: np.ndarray, patient: str = ""
) -> bytes:
    """Draw the slices of a volume in turn, truth beside prediction, as an animated GIF.

    Args:
        images: uint8 ``(slices, height, width, channels)``.
        truths, masks: bool ``(slices, height, width, regions)``.
        patient: named below every slice.
    """
    frames = []
    for number, (image, truth, mask) in enumerate(zip(images, truths, masks, strict=True), start=1):
        drawn = [_square(overlay(grey(image), regions)) for regions in (truth, mask)]
        tiles = list(zip(drawn, ("truth", "prediction"), strict=True))
        frames.append(_frame(tiles, f"slice {number} of {len(images)}  {patient}"))
    return animate(frames, _SECOND // 10)


def animate(frames: Sequence[np.ndarray], milliseconds: int) -> bytes:
    """Return frames, uint8 RGB of one shape, as a GIF that runs for ever."""
    # One palette and no dither: what does not change from frame to frame then costs nothing.
    chosen = frames[:: -(-len(frames) // _PALETTE_FRAMES)]
    palette = Image.fromarray(np.vstack(chosen)).quantize(128)
    pictures = [
        Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE)
        for frame in frames
    ]
    stream = io.BytesIO()
    pictures[0].save(
        stream,
        format="GIF",
        save_all=True,
        append_images=pictures[1:],
        duration=milliseconds,
        loop=0,
        disposal=1,
    )
    return stream.getvalue()
