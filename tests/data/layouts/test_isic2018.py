import numpy as np
import pytest
from PIL import Image

from tests.data.makers import box, make_isic, noise, save
from tinyseg.data import load
from tinyseg.data.check import check
from tinyseg.data.store import open_store
from tinyseg.errors import InputError
from tinyseg.plan import PreprocessingPlan


def test_isic_pairs_by_number_wherever_files_lie(tmp_path):
    make_isic(tmp_path)
    save(tmp_path / "ham/images/ISIC_0000020.jpg", noise(20, 3))
    save(tmp_path / "ham/masks/ISIC_0000020.png", 255 * box(20))
    save(tmp_path / "ISIC2018_Task1-2_Training_Input/ISIC_0000003_superpixels.png", noise(3, 3))
    dataset = load(tmp_path)
    assert dataset.name == "isic2018"
    assert [s.name for s in dataset.samples] == [f"ISIC_{n:07d}" for n in (*range(8), 20)]
    image, mask = dataset.read(dataset.samples[3])
    np.testing.assert_array_equal(image, noise(3, 3))
    np.testing.assert_array_equal(mask, box(3))


def test_isic_image_in_two_folders_is_named(tmp_path):
    make_isic(tmp_path)
    save(tmp_path / "more/ISIC_0000003.jpg", noise(3, 3))
    with pytest.raises(InputError, match=r"ISIC_0000003\.jpg: same name as ISIC_0000003\.png"):
        load(tmp_path)


def test_isic_in_images_and_masks_is_an_ordinary_folder(tmp_path):
    save(tmp_path / "images/ISIC_0000020.jpg", noise(20, 3))
    save(tmp_path / "masks/ISIC_0000020_segmentation.png", 255 * box(20))
    assert load(tmp_path).name == tmp_path.name


@pytest.mark.real_data
def test_real_lesions(real_data):
    dataset = load("isic2018")
    assert len(dataset) == 40
    assert check("isic2018").ok
    for sample in dataset.samples:
        image, mask = dataset.read(sample)
        assert image.shape[:2] == mask.shape
        with Image.open(sample.masks[0]) as file:
            np.testing.assert_array_equal(mask, np.asarray(file.convert("L")) > 127)
        assert 0 < mask.mean() < 0.95
    store = open_store(dataset, PreprocessingPlan(64, 64, 3))
    assert store.images.shape == (40, 64, 64, 3)
    assert len(load(real_data / "isic2018/ham10000")) == 36
