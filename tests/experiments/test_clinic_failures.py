"""What is missed and marked in vain has names and pictures without the image."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from tinyseg.experiments.clinic_failures import draw_failures, find_failures
from tinyseg.operating_point import OperatingPoint
from tinyseg.reporting.pictures import error_map
from tinyseg.steps.calibrate import store
from tinyseg.steps.evaluate import evaluate
from tinyseg.steps.session import Session

FILE = (
    Path(__file__).parents[2] / "models/attention_unet_ds_mcu/phantom/attention_unet_ds_mcu.tflite"
)


@pytest.mark.usefixtures("own_cache")
@pytest.mark.parametrize(
    ("point", "some"),
    [(OperatingPoint(blank_below=1.0), "missed"), (OperatingPoint(relative=0.2), "false_alarms")],
)
def test_failures_are_those_that_the_scores_count(point, some, tmp_path):
    path = shutil.copy(FILE, tmp_path / "net.tflite")
    store(Session.open(path), point)
    session = Session.open(path, "phantom:count=120,size=32")
    found, pictures = find_failures(session)
    scores = evaluate(session)
    counted = len(found["missed"]), len(found["false_alarms"])
    assert counted == (scores["missed_lesions"], scores["false_alarms"])
    assert found[some]
    assert len(pictures) == sum(counted)
    images = session.images.part("test")
    true = images.masks[images.names.index(found[some][0]), ..., 0].astype(bool)
    dark, nothing = np.zeros(true.shape), np.zeros_like(true)
    picture = pictures[0] if some == "missed" else pictures[len(found["missed"])]
    if some == "missed":
        np.testing.assert_array_equal(picture, error_map(dark, true, nothing))
    else:
        assert not true.any()
        assert (picture != error_map(dark, true, nothing)).any()
    assert draw_failures([*found["missed"], *found["false_alarms"]], pictures)[1:4] == b"PNG"


def test_nothing_wrong_is_an_empty_picture():
    assert draw_failures([], [])[1:4] == b"PNG"
