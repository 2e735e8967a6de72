from pathlib import Path

import numpy as np
import pytest

from tinyseg.data.layouts.slices import MIDDLE_HALF, REGIONS, middle, share, to_8_bit
from tinyseg.errors import InputError


@pytest.mark.parametrize(
    ("count", "part", "rows"),
    [
        (155, 0.5, range(39, 116)),
        (10, 0.5, [2, 3, 4, 5, 6]),
        (10, 0.4, [3, 4, 5, 6]),
        # An odd number too many leaves one more above than below.
        (10, 0.3, [3, 4, 5]),
        (7, 0.3, [2, 3]),
        (9, 0.01, [4]),
        (8, 0.01, [3]),
        (1, 0.5, [0]),
        (4, 1, [0, 1, 2, 3]),
        (0, 0.5, []),
        (0, 1, []),
    ],
)
def test_middle_of_a_volume(count, part, rows):
    assert list(middle(range(count), part)) == list(rows)


@pytest.mark.parametrize(("text", "value"), [("0.25", 0.25), ("1", 1.0), ("1e-9", 1e-9)])
def test_share_is_above_0_and_at_most_1(text, value):
    assert share(text) == value


@pytest.mark.parametrize("text", ["0", "-0.1", "1.0001", "half", "", "nan", "inf"])
def test_what_is_no_share_is_refused(text):
    with pytest.raises(ValueError, match=r"^a share above 0 and at most 1$"):
        share(text)


def test_each_channel_is_stretched_by_itself():
    """From its own least to its own greatest, the rest in proportion and rounded."""
    values = np.stack(
        [[[-3, 1, 5], [7, -3, 4]], [[0, 0.1, 0.25], [0.5, 0.2, 0]], [[6, 6, 6], [6, 6, 6]]], -1
    )
    found = to_8_bit(values, Path("x"))
    assert found.dtype == np.uint8
    assert found[..., 0].tolist() == [[0, 102, 204], [255, 0, 178]]
    # 127.5 to the even one.
    assert found[..., 1].tolist() == [[0, 51, 128], [255, 102, 0]]
    assert not found[..., 2].any()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_value_that_is_no_number_is_refused(value):
    values = np.arange(24.0).reshape(2, 4, 3)
    values[1, 2, 1] = value
    with pytest.raises(InputError, match=r"^some\.h5: holds NaN or infinity; repair or remove it$"):
        to_8_bit(values, Path("some.h5"))


def test_names_that_files_and_plans_hold():
    assert REGIONS == ("necrosis", "oedema", "enhancing")
    assert MIDDLE_HALF == 0.5
