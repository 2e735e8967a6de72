"""From the body of a request to one image; whatever else it holds is refused with a reason."""

from __future__ import annotations

import base64
import binascii
import io
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tinyseg.data.arrays import to_pixels
from tinyseg.data.images import NO_WHITES, decode_image, deep_kind, deep_values, pixels_of
from tinyseg.data.reading import white_of
from tinyseg.errors import InputError
from tinyseg.serving.reply import JSON

MAX_BYTES = 16 * 2**20
# Those of an image of 5792 x 5792 pixels; decoded, it takes 100 MB.
MAX_PIXELS = 2**25
NPY, PNG = "application/x-npy", "image/png"
_FORMATS = {PNG: "PNG", "image/jpeg": "JPEG", "image/tiff": "TIFF"}
TYPES = (*_FORMATS, JSON, NPY)
_DEEPEST = 4
_NAME = "image"


class Refusal(InputError):
    """A request that is not answered with a mask.

    Args:
        status: of HTTP, 4xx or 503.
        reason: one line.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def parse(content: bytes, kind: str, whites: Mapping[str, float] = NO_WHITES) -> np.ndarray:
    """Return the image that a body holds.

    Args:
        content: the body. A file of an image; or JSON, ``{"image": BASE64}`` of such a file or
            ``{"pixels": ROWS}``; or the ``.npy`` file of an array ``(height, width)`` or
            ``(height, width, channels)``, also with a 1 in front. Pixels are whole numbers 0 to
            255 or floats in [0, 1].
        kind: what ``Content-Type`` says, parameters included.
        whites: what is white in images of more than 8 bits where the network was trained.

    Returns:
        uint8 ``(height, width)`` or ``(height, width, channels)``, channels at most 4.

    Raises:
        Refusal: 415 for another type, 413 for too many pixels, 400 for what cannot be read.
    """
    kind = kind.partition(";")[0].strip().lower()
    readers: dict[str, Callable[[], np.ndarray]] = {
        **{name: lambda: _picture(content, (_FORMATS[kind],), whites) for name in _FORMATS},
        JSON: lambda: _json(content, whites),
        NPY: lambda: _array(content),
    }
    if kind not in readers:
        raise Refusal(415, f"Content-Type '{kind}' is not read; send {', '.join(TYPES)}")
    if not content:
        raise Refusal(400, "the body is empty; send an image")
    try:
        return readers[kind]()
    except Refusal:
        raise
    except InputError as error:
        raise Refusal(400, str(error)) from None


def _picture(content: bytes, formats: tuple[str, ...], whites: Mapping[str, float]) -> np.ndarray:
    try:
        image = decode_image(content, _NAME, formats, MAX_PIXELS)
    except InputError as error:
        if "implausibly large" in str(error):
            raise Refusal(413, _too_many()) from None
        raise
    kind = deep_kind(image)
    if kind and not whites.get(kind):
        whites = {kind: white_of(kind, float(deep_values(image, _NAME).max()))}
    return pixels_of(image, _NAME, whites)


def _json(content: bytes, whites: Mapping[str, float]) -> np.ndarray:
    try:
        found = json.loads(content, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, f"the body is not JSON ({str(error) or type(error).__name__})") from None
    keys = sorted(found) if isinstance(found, dict) else []
    if keys == ["image"]:
        return _picture(_decoded(found["image"]), tuple(_FORMATS.values()), whites)
    if keys == ["pixels"]:
        return _checked(_numbers(found["pixels"]))
    raise Refusal(400, 'JSON has to be {"image": BASE64 of a file} or {"pixels": ROWS of numbers}')


def _decoded(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise Refusal(400, '"image" is not base64 of a PNG, JPEG or TIFF file') from None


def _numbers(values: Any) -> np.ndarray:
    try:
        array = np.asarray(values)
    except (ValueError, OverflowError, RecursionError):
        raise Refusal(400, '"pixels" has rows of different lengths') from None
    if array.dtype.kind not in "iuf" or not array.size:
        raise Refusal(400, '"pixels" has to hold rows of numbers')
    if array.dtype.kind in "iu":
        if array.min() < 0 or array.max() > 255:
            raise Refusal(400, '"pixels" are not within 0 to 255')
        return array.astype(np.uint8)
    return array


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _array(content: bytes) -> np.ndarray:
    stream = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, _, dtype = read(stream)
        # The header alone decides how much NumPy would reserve.
        size = dtype.itemsize * int(np.prod(shape, dtype=object))
        if dtype.hasobject or dtype.kind not in "uf" or size != len(content) - stream.tell():
            raise ValueError(f"{shape} of {dtype} in {len(content):,} bytes")
        stream.seek(0)
        return _checked(np.load(stream, allow_pickle=False))
    except (ValueError, KeyError, TypeError, EOFError, SyntaxError, MemoryError) as error:
        reason = str(error).partition("\n")[0]
        raise Refusal(400, f"the body is no .npy file of an image ({reason})") from None


def _checked(array: np.ndarray) -> np.ndarray:
    """Return an array of one image as 8 bits."""
    if array.ndim == _DEEPEST and len(array) == 1:
        array = array[0]
    if array.ndim not in (2, 3):
        raise Refusal(400, f"image is {array.shape}; send (height, width) or with channels")
    if array.shape[0] * array.shape[1] > MAX_PIXELS:
        raise Refusal(413, _too_many())
    pixels = to_pixels(array[None])[0]
    return pixels[..., 0] if pixels.ndim == 3 and pixels.shape[-1] == 1 else pixels


def _too_many() -> str:
    return f"image has more than {MAX_PIXELS:,} pixels; reduce it"
