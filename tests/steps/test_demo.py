"""The demo page: its server over HTTP, and the page itself in a browser without a window."""

import base64
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.commands import assert_bad_input, tinyseg
from tinyseg import data
from tinyseg.steps.demo import MAX_BYTES

NETWORK = "attention_unet_ds_256k"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Start the server as a user does, and stop it as one does, with Ctrl-C."""
    folder = tmp_path_factory.mktemp("demo")
    with subprocess.Popen(
        [sys.executable, "-m", "tinyseg", "demo", NETWORK, "--port", "0"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as server:
        try:
            yield server.stdout.readline().split()[0]
        finally:
            server.send_signal(signal.SIGINT)
        _, errors = server.communicate(timeout=30)
    assert "Traceback" not in errors


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    """A phantom with a lesion, larger than the network's input, and its mask."""
    phantoms = data.load("phantom:count=6,size=180,seed=4")
    read = (phantoms.read(sample) for sample in phantoms.samples)
    image, mask = next((image, mask) for image, mask in read if mask.any())
    path = tmp_path_factory.mktemp("scan") / "a scan (1).png"
    cv2.imwrite(str(path), image)
    return path, mask


def post(address, content, name="scan.png"):
    query = urllib.parse.urlencode({"name": name})
    request = urllib.request.Request(f"{address}segment?{query}", data=content)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def picture(uri):
    content = base64.b64decode(uri.partition("base64,")[2])
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)


def test_float_and_integer_masks_of_an_image(address, scan):
    path, mask = scan
    status, answer = post(address, path.read_bytes(), path.name)
    assert status == 200
    assert answer["image"] == {"width": 180, "height": 180}
    assert [network["title"] for network in answer["networks"]] == ["float32", "integer"]
    assert answer["equal_pixels"] > 0.98
    for network in answer["networks"]:
        assert picture(network["overlay"]).shape == (180, 180, 3)
        assert network["area_pixels"] == pytest.approx(mask.sum(), rel=0.4)
        assert network["area_share"] == pytest.approx(network["area_pixels"] / 180**2, abs=1e-6)
        assert network["milliseconds"] > 0


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        (b"", "nothing.png", "nothing.png: is empty"),
        (b"no image at all", "letter.png", "letter.png: is not an image"),
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "../cut.png", "../cut.png: "),
        (b"x", "..", "..: is not an image"),
    ],
)
def test_bad_file_is_answered_with_one_line(address, content, name, words):
    status, answer = post(address, content, name)
    assert status == 400
    assert answer["error"].startswith(words)
    assert "\n" not in answer["error"]
    assert "tmp" not in answer["error"]


def test_huge_upload_is_refused(address):
    status, answer = post(address, bytes(MAX_BYTES + 1))
    assert status == 413
    assert "reduce it" in answer["error"]


def test_a_threshold_of_the_page_changes_the_masks(address, scan):
    content = scan[0].read_bytes()
    areas = []
    for threshold in ("0.05", "0.95"):
        query = urllib.parse.urlencode({"name": "scan.png", "threshold": threshold})
        with urllib.request.urlopen(f"{address}segment?{query}", content, timeout=60) as response:
            answer = json.load(response)
        areas.append(answer["networks"][0]["area_pixels"])
        mask = picture(answer["networks"][0]["mask"])
        assert (mask[..., 0] == 255).sum() == areas[-1]
        assert picture(answer["difference"]).shape == (180, 180, 3)
    assert areas[0] > areas[1]


def test_networks_are_timed_alike(address, scan):
    """Both by compiled code: Keras takes a hundred times as long for the same work."""
    _, answer = post(address, scan[0].read_bytes())
    kernels = [network["kernels"] for network in answer["networks"]]
    assert "Keras" not in "".join(kernels)
    assert all(kernels)


def test_samples_are_images_of_the_data(address):
    with urllib.request.urlopen(f"{address}sample/0", timeout=60) as response:
        content = np.frombuffer(response.read(), np.uint8)
    assert cv2.imdecode(content, cv2.IMREAD_COLOR) is not None
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"{address}sample/99", timeout=60)


def test_page_needs_nothing_from_elsewhere(address):
    with urllib.request.urlopen(address, timeout=60) as response:
        page = response.read().decode()
    assert "72 x 72" in page
    assert "http" not in page.replace("http-equiv", "")


def wait_for(browser, condition):
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, 60).until(condition)


def test_person_chooses_a_file_and_sees_two_masks(address, browser, scan):
    path, _ = scan
    browser.get(address)
    assert NETWORK in browser.title
    browser.find_element("id", "file").send_keys(str(path))
    images = wait_for(
        browser,
        lambda page: (found := page.find_elements("css selector", "#masks img"))[2:] and found,
    )
    for image in images:
        wait_for(browser, lambda page, image=image: image.get_property("naturalWidth") == 180)
    captions = [
        caption.text for caption in browser.find_elements("css selector", "#masks figcaption")
    ]
    assert captions[0].startswith("float32: ")
    assert captions[1].startswith("integer: ")
    assert captions[2] == "where they differ"
    message = browser.find_element("id", "message")
    assert message.text.startswith("a scan (1).png, 180 x 180 pixels; ")
    if folder := os.environ.get("TINYSEG_SCREENSHOTS"):
        browser.save_screenshot(str(Path(folder) / "demo.png"))


def test_person_drops_a_bad_file_and_reads_why(address, browser, tmp_path):
    browser.get(address)
    browser.execute_script(
        """
        const data = new DataTransfer();
        data.items.add(new File(["no image"], "<b>letter</b>.png"));
        document.dispatchEvent(new DragEvent("drop", {dataTransfer: data, cancelable: true}));
        """
    )
    message = wait_for(
        browser,
        lambda page: page.find_elements("css selector", "#message.failed"),
    )[0]
    assert message.text == "<b>letter</b>.png: is not an image; replace or remove it"
    assert not browser.find_elements("css selector", "#masks img")


BAD = {
    "network": (["demo", "no_such_net"], ["no_such_net"]),
    "file": (["demo", "missing.tflite"], ["missing.tflite", "no such file"]),
    "address": (["demo", NETWORK, "--host", "192.0.2.1"], ["192.0.2.1", "--port"]),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_ends_in_one_line(case, tmp_path):
    arguments, words = BAD[case]
    assert_bad_input(tinyseg(*arguments, cwd=tmp_path), *words)
