"""Bodies that no server should take: their type, content and the status that they deserve."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np

from tinyseg.serving.bodies import JSON, NPY, PNG


def _chunk(name: bytes, content: bytes) -> bytes:
    check = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)


def png(width: int, height: int, rows: int) -> bytes:
    """A grey PNG file that claims a size, with so many rows of zeros."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    packed = zlib.compress(bytes((width + 1) * rows), 9)
    start = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header)
    return start + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


_WHOLE = _npy(np.zeros((8, 8), np.uint8))
MALFORMED: dict[str, tuple[str, bytes, int]] = {
    "empty": (PNG, b"", 400),
    "no type": ("", b"abc", 415),
    "other type": ("text/html", b"<p>", 415),
    "form": ("multipart/form-data; boundary=x", b"--x--", 415),
    "words as PNG": (PNG, b"hello world", 400),
    "GIF as PNG": (PNG, b"GIF89a" + bytes(64), 400),
    "NumPy as PNG": (PNG, _WHOLE, 400),
    "PNG as JPEG": ("image/jpeg", png(8, 8, 8), 400),
    "signature alone": (PNG, b"\x89PNG\r\n\x1a\n", 400),
    "PNG that is cut": (PNG, png(64, 64, 64)[:-30], 400),
    "bomb of 10 Gpixel": (PNG, png(100_000, 100_000, 1), 413),
    "bomb of 50 Mpixel": (PNG, png(7_100, 7_100, 1), 413),
    "PNG without width": (PNG, png(0, 8, 0), 400),
    "TIFF header alone": ("image/tiff", b"II*\x00\x08\x00\x00\x00", 400),
    "JPEG start alone": ("image/jpeg", b"\xff\xd8\xff\xe0" + bytes(20), 400),
    "no JSON": (JSON, b"{", 400),
    "JSON in UTF-16": (JSON, '{"image": 1'.encode("utf-16"), 400),
    "no UTF-8": (JSON, b'{"image": "\xff\xfe"}', 400),
    "JSON list": (JSON, b"[1, 2]", 400),
    "JSON number": (JSON, b"1", 400),
    "JSON of other keys": (JSON, b'{"instances": [[1]]}', 400),
    "JSON with both": (JSON, b'{"image": "", "pixels": []}', 400),
    "no base64": (JSON, b'{"image": "%%%"}', 400),
    "base64 of nothing": (JSON, b'{"image": ""}', 400),
    "base64 of a number": (JSON, b'{"image": 7}', 400),
    "deep JSON": (JSON, b"[" * 200_000, 400),
    "deep pixels": (JSON, b'{"pixels": ' + b"[" * 90 + b"1" + b"]" * 90 + b"}", 400),
    "ragged pixels": (JSON, b'{"pixels": [[1, 2], [3]]}', 400),
    "words as pixels": (JSON, b'{"pixels": [["a", "b"]]}', 400),
    "no pixels": (JSON, b'{"pixels": []}', 400),
    "null as pixels": (JSON, b'{"pixels": null}', 400),
    "truths as pixels": (JSON, b'{"pixels": [[true, false]]}', 400),
    "pixels of 999": (JSON, b'{"pixels": [[999, 0]]}', 400),
    "negative pixels": (JSON, b'{"pixels": [[-1, 0]]}', 400),
    "huge number": (JSON, b'{"pixels": [[' + b"9" * 400 + b"]]}", 400),
    "longest number": (JSON, b'{"pixels": [[' + b"9" * 9_000 + b"]]}", 400),
    "NaN": (JSON, b'{"pixels": [[NaN, 0.5]]}', 400),
    "infinity": (JSON, b'{"pixels": [[1e999, 0.5]]}', 400),
    "five channels": (JSON, b'{"pixels": [[[1, 2, 3, 4, 5]]]}', 400),
    "words as NumPy": (NPY, b"hello", 400),
    "NumPy magic alone": (NPY, b"\x93NUMPY", 400),
    "NumPy version 9": (NPY, b"\x93NUMPY\x09\x00" + bytes(64), 400),
    "NumPy that is cut": (NPY, _WHOLE[:-1], 400),
    "NumPy with more": (NPY, _WHOLE + b"0", 400),
    "pickled objects": (NPY, _npy(np.array([{"a": 1}], object)), 400),
    "NumPy of text": (NPY, _npy(np.array([["a"]])), 400),
    "NumPy of NaN": (NPY, _npy(np.full((4, 4), np.nan, np.float32)), 400),
    "NumPy of 16 bits": (NPY, _npy(np.zeros((4, 4), np.uint16)), 400),
    "NumPy of one axis": (NPY, _npy(np.zeros(4, np.uint8)), 400),
    "NumPy of two images": (NPY, _npy(np.zeros((2, 4, 4, 1), np.uint8)), 400),
    "NumPy of nothing": (NPY, _npy(np.zeros((0, 4), np.uint8)), 400),
}
