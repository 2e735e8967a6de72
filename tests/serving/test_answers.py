"""Answers of a network: masks, areas, refusals; the bytes are those of 'tinyseg predict'."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from tinyseg import data
from tinyseg.serving.answers import Network, as_picture
from tinyseg.serving.bodies import JSON, PNG
from tinyseg.serving.tally import Tally
from tinyseg.steps.predict import predict
from tinyseg.steps.session import Session

NETWORK = "attention_unet_ds_mcu"


@pytest.fixture(scope="module")
def network():
    return Network(Session.open_file(NETWORK))


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    phantoms = data.load("phantom:count=6,size=180,seed=4")
    read = (phantoms.read(sample) for sample in phantoms.samples)
    image = next(image for image, mask in read if mask.any())
    path = tmp_path_factory.mktemp("scan") / "scan.png"
    Image.fromarray(image).save(path)
    return path


def test_mask_and_areas_are_those_of_predict(network, scan, tmp_path):
    rows, _ = predict(Session.open_file(NETWORK), [scan], tmp_path)
    mask = network.answer(scan.read_bytes(), PNG, "image/png")
    assert (mask.status, mask.kind) == (200, PNG)
    expected = np.asarray(Image.open(tmp_path / "scan_mask.png"))
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(mask.content))), expected)

    answer = network.answer(scan.read_bytes(), PNG)
    found = json.loads(answer.content)
    assert (answer.status, answer.kind) == (200, JSON)
    assert found["image"] == {"height": 180, "width": 180}
    assert found["kernels"] == "tinyseg's engine"
    region = found["regions"][0]
    assert region["area_pixels"] == rows[0]["area_pixels"] == np.count_nonzero(expected)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("image/*", PNG),
        ("application/json;q=0.2, image/png", PNG),
        ("image/png;q=0, application/json", JSON),
    ],
)
def test_accept_decides(network, scan, accept, kind):
    assert network.answer(scan.read_bytes(), PNG, accept).kind == kind


def test_refusals_are_json(network, scan):
    for content, kind, accept, status in (
        (b"x", PNG, "", 400),
        (b"x", "text/plain", "", 415),
        (scan.read_bytes(), PNG, "text/html", 406),
    ):
        answer = network.answer(content, kind, accept)
        assert answer.status == status
        assert json.loads(answer.content)["error"]


def test_several_regions_are_numbers():
    masks = np.array([[[True, False], [True, True], [False, False]]])
    np.testing.assert_array_equal(as_picture(masks), [[1, 2, 0]])
    np.testing.assert_array_equal(as_picture(masks[..., :1]), [[255, 255, 0]])


def test_tally():
    tally = Tally({"kernels": 'the "engine"'})
    for status, seconds in ((200, 0.02), (200, 30.0), (400, 0.001)):
        tally.add(status, seconds, 10)
    text = tally.text(2)
    for line in (
        r'tinyseg_info{kernels="the \"engine\""} 1',
        'tinyseg_requests_total{status="200"} 2',
        'tinyseg_requests_total{status="400"} 1',
        "tinyseg_request_bytes_total 30",
        'tinyseg_request_seconds_bucket{le="0.01"} 1',
        'tinyseg_request_seconds_bucket{le="0.025"} 2',
        'tinyseg_request_seconds_bucket{le="10"} 2',
        'tinyseg_request_seconds_bucket{le="+Inf"} 3',
        "tinyseg_request_seconds_count 3",
        "tinyseg_replicas 2",
    ):
        assert line in text.splitlines()
