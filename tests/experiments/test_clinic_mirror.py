"""The mean over an image and its mirror image."""

import numpy as np
import pytest

from tinyseg.experiments.clinic_mirror import judge
from tinyseg.operating_point import OperatingPoint


def test_a_false_alarm_of_one_view_alone_is_outvoted():
    masks = np.zeros((8, 16, 16, 1), np.uint8)
    masks[:4, 4:12, 4:12] = 1
    once = np.where(masks, 0.9, 0.05).astype(np.float32)
    again = once.copy()
    # Healthy images are marked as surely as the least certain lesion, in one view.
    once[0] = np.where(masks[0], 0.6, 0.05)
    once[4:6, 2:10, 2:10] = 0.7
    alone = judge(once, masks, OperatingPoint())
    both = judge((once + again) / 2, masks, OperatingPoint(mirrored=True))
    assert alone["false_alarms"] == 0
    assert alone["missed_lesions"] == 1
    assert (both["false_alarms"], both["missed_lesions"]) == (0, 0)
    assert both["lesion_dice"] == pytest.approx(1)
