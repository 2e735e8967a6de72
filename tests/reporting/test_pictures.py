"""Pictures of reports."""

import numpy as np
import pytest

from tinyseg.reporting import pictures
from tinyseg.reporting.pictures import Example


@pytest.fixture
def rows():
    """Two images, higher than wide, one of them without foreground."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (40, 24, 3), np.uint8)
    masks = np.zeros((3, 40, 24), bool)
    masks[0, 5:20, 3:9] = masks[1, 6:22, 3:9] = masks[2, 5:20, 5:12] = True
    return [
        Example("benign (1)", image, *masks, 0.9, 0.7),
        Example("normal (12)", image[::-1], *np.zeros_like(masks), 1.0, 1.0),
    ]


def test_titles_stand_where_matplotlib_would_put_them(rows, monkeypatch):
    drawn = pictures.examples(rows)
    monkeypatch.setattr(pictures, "_ABOVE", None)
    assert drawn == pictures.examples(rows)
