import numpy as np

from tinyseg.reporting.overlay import overlay


def test_overlay_changes_the_region_alone():
    image, mask = np.full((40, 40), 80, np.uint8), np.zeros((40, 40, 1), bool)
    mask[10:20, 10:20] = True
    drawn = overlay(image, mask)
    assert drawn.shape == (40, 40, 3)
    changed = (drawn != 80).any(-1)
    np.testing.assert_array_equal(changed, mask[..., 0])
