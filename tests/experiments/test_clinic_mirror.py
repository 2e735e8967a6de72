"""The mean over an image and its mirror image."""

import numpy as np
import pytest

from tinyseg.experiments.clinic_mirror import judge, mirrored


def test_mirroring_is_undone_by_itself_and_keeps_rows():
    images = np.random.default_rng(0).random((2, 3, 4, 1))
    np.testing.assert_array_equal(mirrored(mirrored(images)), images)
    np.testing.assert_array_equal(mirrored(images)[0, 1, :, 0], images[0, 1, ::-1, 0])


def test_a_false_alarm_of_one_view_alone_is_outvoted():
    masks = np.zeros((8, 16, 16, 1), np.uint8)
    masks[:4, 4:12, 4:12] = 1
    once = np.where(masks, 0.9, 0.05).astype(np.float32)
    again = once.copy()
    # Healthy images are marked as surely as the least certain lesion, in one view.
    once[0] = np.where(masks[0], 0.6, 0.05)
    once[4:6, 2:10, 2:10] = 0.7
    alone = judge(once, masks, 0.004)
    both = judge((once + again) / 2, masks, 0.004)
    assert alone["false_alarms"] == 0
    assert alone["missed_lesions"] == 1
    assert (both["false_alarms"], both["missed_lesions"]) == (0, 0)
    assert both["lesion_dice"] == pytest.approx(1)
