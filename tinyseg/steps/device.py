"""Image files on a board that runs tinyseg's firmware."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tinyseg import files, presets, progress
from tinyseg.data.images import encode_image, read_image
from tinyseg.errors import InputError
from tinyseg.plan import PreprocessingPlan
from tinyseg.preprocessing import normalise, resize_image
from tinyseg.runtime import Runner
from tinyseg.runtime.device import Device, DeviceRunner, open_port
from tinyseg.runtime.meaning import Meaning
from tinyseg.runtime.runner import has_channels_first
from tinyseg.runtime.views import outputs_at
from tinyseg.steps.predict import refuse_same_names, whites_of
from tinyseg.steps.session import Session

BAUD = 115200


def device_info(port: str, baud: int = BAUD) -> dict[str, Any]:
    """Return what a device says of itself, see :class:`tinyseg.runtime.protocol.Info`.

    Raises:
        InputError: no device at the port.
    """
    with open_port(port, baud) as opened:
        return dataclasses.asdict(Device(opened, port).info())


@dataclasses.dataclass(frozen=True)
class DeviceMask:
    """What a device made of an image file.

    Attributes:
        image: path of the image.
        mask: path of the mask that was written, values 0 and 255 at the network's size.
        foreground: share of the pixels.
        ticks: processor clock ticks of the inference.
        milliseconds: the same as time; of no meaning on an emulated device.
        differing_pixels: mask pixels that differ from the host's.
    """

    image: str
    mask: str
    foreground: float
    ticks: int
    milliseconds: float
    differing_pixels: int


def run_images(
    session: Session,
    images: Sequence[Path],
    port: str,
    *,
    baud: int = BAUD,
    folder: Path | None = None,
    timeout: float = 60.0,
) -> tuple[dict[str, Any], list[DeviceMask]]:
    """Send image files to a device, receive masks, and compare them with the host's.

    Args:
        session: of the file that the device was flashed with.
        images: files of any size.
        port: see :func:`tinyseg.runtime.device.open_port`.
        baud: speed of a serial port.
        folder: where the masks go, ``NAME_mask.png``; None for ``build/device``.
        timeout: seconds that an inference may take.

    Returns:
        What the device said of itself, and a record for each image.

    Raises:
        InputError: the file makes no masks; no device, another model on it, an unreadable image,
            or two of one name.
    """
    model, preprocessing, meaning = session.integers, session.preprocessing, session.reading
    folder = folder or presets.BUILD / "device"
    bound = meaning.bound(preprocessing.threshold)
    if meaning.task != "segmentation" or not meaning.by_threshold or bound is None:
        raise InputError(f"{model.path}: makes no masks; score it with 'tinyseg verify --on BOARD'")
    refuse_same_names(images)
    whites = whites_of(images, session)
    pixels = [resize_image(read_image(path, whites), preprocessing) for path in images]
    host = session.runner()
    records = []
    with open_port(port, baud) as opened:
        device = Device(opened, port, timeout=timeout)
        info = DeviceRunner(device, model).info
        for path, image in progress.track(
            zip(images, pixels, strict=True), f"images on {info.board}", len(images)
        ):
            first = has_channels_first(host.input)
            bits, ticks = device.run_image(np.moveaxis(image, -1, 0) if first else image)
            expected = _host_masks(host, image, preprocessing, meaning)
            mask = _masks(bits[: math.prod(host.output.shape)], meaning)
            target = folder / f"{path.stem}_mask.png"
            files.write_bytes(target, encode_image(255 * mask.astype(np.uint8), ".png"))
            records.append(
                DeviceMask(
                    str(path),
                    str(target),
                    float(mask.mean()),
                    ticks,
                    1000 * ticks / info.clock_hz,
                    int((mask != expected).sum()),
                )
            )
    return dataclasses.asdict(info), records


def _host_masks(
    host: Runner, image: np.ndarray, preprocessing: PreprocessingPlan, meaning: Meaning
) -> np.ndarray:
    """Return the masks of one image, bool ``(h, w, regions)``."""
    outputs = outputs_at(preprocessing, host, normalise(image, preprocessing)[None], meaning)
    bound = meaning.bound(preprocessing.threshold)
    if preprocessing.is_plain and bound is not None:
        return _masks(outputs.ravel() > bound, meaning)
    return meaning.masks(outputs, preprocessing)[0]


def _masks(bits: np.ndarray, meaning: Meaning) -> np.ndarray:
    """Return masks bool ``(h, w, regions)`` of the bits of all output values."""
    assert meaning.layout is not None  # Only masks are shown.
    return meaning.without_background(meaning.layout.maps(bits[None])[0])
