"""Bodies of requests: what is read, and that nothing else gets through."""

import base64
import io
import json
import zlib

import numpy as np
import pytest
from PIL import Image

from tests.serving.malformed import MALFORMED
from tinyseg.serving.bodies import JSON, NPY, PNG, Refusal, parse

GREY = np.arange(6 * 5, dtype=np.uint8).reshape(6, 5)
RGB = np.stack([GREY, GREY + 1, GREY + 2], -1)


def file(pixels, form, **options):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, form, **options)
    return stream.getvalue()


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


@pytest.mark.parametrize("pixels", [GREY, RGB], ids=["grey", "rgb"])
@pytest.mark.parametrize(("form", "kind"), [("PNG", PNG), ("TIFF", "image/tiff")])
def test_files(pixels, form, kind):
    np.testing.assert_array_equal(parse(file(pixels, form), kind), pixels)


def test_jpeg_and_parameters_of_the_type():
    flat = np.full((16, 16), 77, np.uint8)
    found = parse(file(flat, "JPEG"), "Image/JPEG; quality=1")
    assert np.abs(found.astype(int) - 77).max() <= 1


def test_deep_images_by_what_was_white_in_training():
    deep = file(np.array([[0, 4095]], np.uint16), "PNG")
    np.testing.assert_array_equal(parse(deep, PNG, {"whole": 8190}), [[0, 128]])
    np.testing.assert_array_equal(parse(deep, PNG), [[0, 255]])


def test_json_of_a_file_and_of_pixels():
    packed = {"image": base64.b64encode(file(RGB, "PNG")).decode()}
    np.testing.assert_array_equal(parse(json.dumps(packed).encode(), JSON), RGB)
    rows = {"pixels": GREY.tolist()}
    np.testing.assert_array_equal(parse(json.dumps(rows).encode(), JSON), GREY)
    shares = {"pixels": [[0.0, 1.0], [0.5, 0.25]]}
    found = parse(json.dumps(shares).encode(), JSON)
    np.testing.assert_array_equal(found, [[0, 255], [128, 64]])


def test_arrays():
    np.testing.assert_array_equal(parse(npy(GREY), NPY), GREY)
    np.testing.assert_array_equal(parse(npy(RGB[None]), NPY), RGB)
    np.testing.assert_array_equal(parse(npy(GREY[..., None]), NPY), GREY)
    np.testing.assert_array_equal(parse(npy((GREY / 255).astype("f4")), NPY), GREY)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_every_cut_of_a_file_is_refused():
    for pixels, form, kind in ((RGB, "PNG", PNG), (GREY, "TIFF", "image/tiff")):
        whole = file(pixels, form)
        for end in range(0, len(whole) - 16, 7):
            with pytest.raises(Refusal) as refusal:
                parse(whole[:end], kind)
            assert refusal.value.status == 400


@pytest.mark.parametrize(("kind", "content", "status"), MALFORMED.values(), ids=list(MALFORMED))
def test_malformed_bodies_are_refused_in_one_line(kind, content, status):
    with pytest.raises(Refusal) as refusal:
        parse(content, kind)
    assert refusal.value.status == status
    assert str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_bomb_reserves_nothing(monkeypatch):
    header = np.lib.format.header_data_from_array_1_0(np.zeros((1, 1), np.uint8))
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {**header, "shape": (1 << 20, 1 << 20)})
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("was read"))
    with pytest.raises(Refusal, match="file of an image"):
        parse(stream.getvalue() + zlib.compress(b"0"), NPY)
