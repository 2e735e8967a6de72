import numpy as np
import pytest

from tests.data.makers import box, make_dic1, noise
from tinyseg.data import load
from tinyseg.errors import InputError


def test_dic1_pairs_by_suffix_and_leaves_weights(tmp_path):
    make_dic1(tmp_path)
    dataset = load(tmp_path)
    assert dataset.name == "dic1"
    assert [s.name for s in dataset.samples] == [f"img_{n:06d}_1" for n in range(8)]
    image, mask = dataset.read(dataset.samples[4])
    np.testing.assert_array_equal(image, noise(4))
    np.testing.assert_array_equal(mask, box(4))


def test_dic1_problems_name_the_cure(tmp_path):
    make_dic1(tmp_path)
    (tmp_path / "img_000003_1_mask.tif").unlink()
    with pytest.raises(InputError, match=r"image without mask; add 'img_000003_1_mask\.tif'"):
        load(tmp_path)
