"""DICOM files as images, by way of pydicom, which is an extra."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image

from tinyseg.errors import InputError

SUFFIXES = (".dcm", ".dicom")
_MAGIC_AT, _MAGIC = 128, b"DICM"


def is_dicom(stream: IO[bytes], path: Path) -> bool:
    """Return, by its content or else its name, whether a file is DICOM; the stream is rewound."""
    stream.seek(_MAGIC_AT)
    found = stream.read(len(_MAGIC)) == _MAGIC
    stream.seek(0)
    return found or path.suffix.lower() in SUFFIXES


def pages(path: Path) -> int:
    """Return the number of frames, 1 where it is not known."""
    try:
        with path.open("rb") as stream:
            header = _pydicom(path).dcmread(stream, stop_before_pixels=True)
        return max(int(header.get("NumberOfFrames") or 1), 1)
    except Exception:  # What is wrong with the file is said when it is decoded.
        return 1


def open_dicom(stream: IO[bytes], path: Path, page: int, most_pixels: int) -> Image.Image:
    """Decode one frame as its header says that it is to be shown.

    Grey values are rescaled and windowed to 8 bits where the header has a window; without one they
    are kept, as 8 or 16 bits. MONOCHROME1 is inverted.

    Args:
        stream, path: of the file; the path is named in errors.
        page: number of the frame.
        most_pixels: in a frame.

    Raises:
        InputError: pydicom is not installed, or the file is damaged, of a kind that it does not
            decode, or of values whose range nothing says.
    """
    pydicom = _pydicom(path)
    try:
        header = pydicom.dcmread(stream)
        if int(header.get("Rows") or 0) * int(header.get("Columns") or 0) > most_pixels:
            raise InputError(f"{path}: image is implausibly large; reduce it or remove it")
        return _as_image(header, path, page)
    except InputError:
        raise
    except pydicom.errors.InvalidDicomError:
        what = "is empty" if path.stat().st_size == 0 else "is not a DICOM file"
        raise InputError(f"{path}: {what}; replace or remove it") from None
    except Exception as error:  # pydicom raises whatever its decoders do.
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise InputError(
            f"{path}: cannot be decoded ({reason}); replace it, or export it as png"
        ) from None


def _pydicom(path: Path) -> Any:
    try:
        import pydicom
    except ImportError:
        raise InputError(f"{path}: is DICOM; pip install 'tinyseg[dicom]' to read it") from None
    return pydicom


def _as_image(header: Any, path: Path, page: int) -> Image.Image:
    from pydicom import pixels

    colour = int(header.get("SamplesPerPixel") or 1) > 1
    values = pixels.pixel_array(header, index=page)
    if colour:
        if values.dtype != np.uint8:
            raise InputError(f"{path}: holds colours of more than 8 bits; export it as png")
        return Image.fromarray(values)
    values = pixels.apply_modality_lut(values, header)
    if header.get("WindowCenter") is not None or "VOILUTSequence" in header:
        values = _windowed(values, header)
    if values.min() < 0:
        raise InputError(
            f"{path}: holds values from {values.min():g} and no window; export it as png"
        )
    return _grey(values, header)


def _windowed(values: np.ndarray, header: Any) -> np.ndarray:
    """Return uint8: the window's range from black to white."""
    from pydicom import pixels

    shown = np.asarray(pixels.apply_voi_lut(values, header), np.float64)
    low, high = _range_of(header)
    return np.clip(np.round((shown - low) * (255 / (high - low))), 0, 255).astype(np.uint8)


def _range_of(header: Any) -> tuple[float, float]:
    """Return the least and greatest value that the look-up of a window gives."""
    if "VOILUTSequence" in header:
        return 0, 2 ** int(header.VOILUTSequence[0].LUTDescriptor[2]) - 1
    bits, signed = int(header.BitsStored), bool(header.get("PixelRepresentation"))
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    slope, intercept = header.get("RescaleSlope"), header.get("RescaleIntercept")
    if slope is not None and intercept is not None:
        low, high = (float(slope) * end + float(intercept) for end in (low, high))
    return min(low, high), max(low, high)


def _grey(values: np.ndarray, header: Any) -> Image.Image:
    """Return an image of 8 bits, of 16 bits, or of real numbers."""
    if header.get("PhotometricInterpretation") == "MONOCHROME1":
        top = 255 if values.dtype == np.uint8 else 2 ** int(header.BitsStored) - 1
        values = top - values
    if values.dtype == np.uint8:
        return Image.fromarray(values)
    if np.array_equal(values, np.round(values)):
        return Image.fromarray(values.astype(np.int32))
    return Image.fromarray(values.astype(np.float32))
