"""What a network learned from is said, and what it did not learn from is warned of."""

import logging

import numpy as np
import pytest
from PIL import Image

from tests import fixtures
from tinyseg.steps import origin
from tinyseg.steps.predict import predict
from tinyseg.steps.session import Session

NETWORK = "attention_unet_ds_256k"


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.INFO, "tinyseg")
    return caplog


def test_weights_are_named_with_their_data(said):
    session = Session.open(NETWORK)
    assert f"{session.path}: trained on phantom" in said.text
    assert "warning" not in said.text


@pytest.mark.parametrize("opened", [Session.open, Session.open_file])
def test_data_that_no_weights_learned_from_are_warned_of(said, opened):
    session = opened(NETWORK, "dsb2018")
    assert f"{session.path}: the weights were trained on phantom, not on these" in said.text
    assert f"'tinyseg train {NETWORK} --data dsb2018'" in said.text


def test_of_a_foreign_file_nothing_is_said(said, tmp_path):
    path = tmp_path / "net.tflite"
    path.write_bytes(fixtures.quantized())
    assert origin.learned_by(Session.open(path)) is None
    assert "trained on" not in said.text


def test_phantom_weights_warn_of_real_images(said, tmp_path):
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(tmp_path / "malignant (195).png")
    predict(Session.open_file(NETWORK), [tmp_path / "malignant (195).png"], tmp_path / "out")
    assert "trained on generated phantoms" in said.text
    assert (tmp_path / "out" / "malignant (195)_mask.png").is_file()
