import pytest
from PIL import Image

from tests.data.makers import MASK, names
from tinyseg.data import load
from tinyseg.errors import InputError


def test_folder_pairs_by_name_and_labels_by_subfolder(tree):
    dataset = load(
        tree(
            "images/glioma/one.jpg",
            "images/glioma/two.v2.tif",
            "images/none/one.bmp",
            "masks/glioma/one.png",
            "masks/glioma/two.v2.png",
            "masks/none/one.png",
        )
    )
    assert names(dataset) == ["glioma/one", "glioma/two.v2", "none/one"]
    assert dataset.label_counts == {"glioma": 2, "none": 1}


@pytest.mark.parametrize(
    "mask", ["a.png", "a_mask.png", "a_segmentation.png", "a_gt.tif", "a_Label.bmp"]
)
def test_folder_takes_the_usual_mask_names(tree, mask):
    dataset = load(tree("images/a.jpg", f"masks/{mask}"))
    assert names(dataset) == ["a"]
    assert dataset.samples[0].label == ""
    assert [path.name for path in dataset.samples[0].masks] == [mask]


def test_folder_unites_numbered_masks(tree):
    root = tree("images/a.png", "masks/a_mask_1.png", "masks/a_mask_2.png")
    inverse = Image.fromarray(255 - MASK * 255)
    inverse.save(root / "masks/a_mask_2.png")
    dataset = load(root)
    assert len(dataset.samples[0].masks) == 2
    assert dataset.read(dataset.samples[0])[1].all()


@pytest.mark.parametrize(
    ("paths", "reason"),
    [
        (("images/b.png",), r"images/b\.png: image without mask; add 'masks/b\.png'"),
        (("masks/b.png",), r"masks/b\.png: mask without image"),
        (("images/x/a.png",), r"images/x/a\.png: image without mask; add 'masks/x/a\.png'"),
        (("images/a.bmp",), r"images/a\.png: same name as a\.bmp"),
    ],
)
def test_folder_names_the_file_at_fault(tree, paths, reason):
    with pytest.raises(InputError, match=reason):
        load(tree("images/a.png", "masks/a.png", *paths))


def test_folder_prefers_a_mask_of_exactly_the_images_name(tree):
    assert names(load(tree("images/no_label.png", "masks/no_label.png"))) == ["no_label"]
