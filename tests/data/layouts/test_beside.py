import pytest

from tests.data.makers import box, names, noise, save
from tinyseg.data import load, scan
from tinyseg.errors import InputError


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("{}.png", "{}_mask.png"),
        ("{}.jpg", "{}-label.png"),
        ("case {}.png", "case {} seg.png"),
        ("case{}_img.png", "case{}_seg.png"),
        ("img_{}.png", "mask_{}.png"),
        ("a/{}.png", "a/{}_gt.png"),
        ("lesion_{}.png", "lesion_{}_mask.png"),
    ],
)
def test_masks_beside_their_images(tmp_path, image, mask):
    for number in range(3):
        save(tmp_path / image.format(number), noise(number))
        save(tmp_path / mask.format(number), 255 * box(number))
    dataset = load(tmp_path)
    root = dataset.root
    for number, sample in enumerate(dataset.samples):
        assert (root / sample.path).relative_to(tmp_path).as_posix() == image.format(number)
        assert [m.relative_to(tmp_path).as_posix() for m in sample.masks] == [mask.format(number)]
    assert (len(dataset), dataset.task) == (3, "segmentation")


def test_several_masks_of_one_image_are_united(tmp_path):
    save(tmp_path / "a.png", noise(0))
    for number, pixels in enumerate((box(0), box(0)[::-1])):
        save(tmp_path / f"a_mask_{number}.png", 255 * pixels)
    dataset = load(tmp_path)
    _, mask = dataset.read(dataset.samples[0])
    assert mask.sum() == 2 * box(0).sum()


def test_a_volume_and_its_labels(tmp_path):
    from PIL import Image

    for name, pages in (
        ("train-volume", [noise(k) for k in range(4)]),
        ("train-labels", [255 * box(k) for k in range(4)]),
        ("test-volume", [noise(k) for k in range(4)]),
    ):
        first, *others = map(Image.fromarray, pages)
        first.save(tmp_path / f"{name}.tif", save_all=True, append_images=others)
    assert names(load(tmp_path)) == [f"train/page_{k:04d}" for k in range(4)]


def test_what_lacks_its_partner_is_named(tmp_path):
    for number in range(3):
        save(tmp_path / f"{number}.png", noise(number))
        save(tmp_path / f"{number}_mask.png", 255 * box(number))
    (tmp_path / "1_mask.png").unlink()
    (tmp_path / "2.png").unlink()
    _, problems = scan(tmp_path)
    assert [line.removeprefix(f"{tmp_path}/") for line in problems] == [
        "1.png: image without mask; add '1_mask.png' or remove it",
        "2_mask.png: mask without image; add the image or remove it",
    ]


def test_photographs_of_labels_are_no_masks(tmp_path):
    for number in range(4):
        save(tmp_path / f"{number}_label.png", noise(number))
    save(tmp_path / "photo.png", noise(9))
    with pytest.raises(InputError, match="no images and masks found"):
        load(tmp_path)
