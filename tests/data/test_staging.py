import collections

import cv2
import numpy as np
import pytest

from tests.data.makers import (
    box,
    make_brain_mri,
    make_brats_h5,
    make_folder,
    make_uneven,
    noise,
    read_mask,
    save,
)
from tinyseg.data import load
from tinyseg.data.images import read_image
from tinyseg.data.splits import PARTS, Split
from tinyseg.data.staging import stage
from tinyseg.errors import InputError


@pytest.fixture
def uneven(tmp_path):
    """See :func:`make_uneven`."""
    make_uneven(tmp_path / "uneven")
    return tmp_path / "uneven"


@pytest.fixture
def split(uneven):
    """Two of each label for validation and test where there are enough."""
    names = collections.defaultdict(list)
    for sample in load(uneven).samples:
        names[sample.label].append(sample.name)
    return Split(
        (*names["many"][:6], *names["some"][:2], names["few"][0]),
        (*names["many"][6:8], names["some"][2]),
        (names["many"][8], names["some"][3], names["few"][1]),
    )


def files_of(folder):
    return {
        str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()
    }


def test_both_layouts_hold_the_same_pixels(uneven, split, tmp_path):
    dataset = load(uneven)
    result = stage(dataset, split, tmp_path / "Data")
    assert result["tasks"] == ["segmentation", "classification"]
    assert result["images"] == {
        "train": {"few": 1, "many": 6, "some": 2},
        "validation": {"many": 2, "some": 1},
        "test": {"few": 1, "many": 1, "some": 1},
    }
    found = files_of(tmp_path / "Data")
    assert len(found) == 3 * 15
    for part, short in zip(PARTS, ("train", "val", "test"), strict=True):
        for name in getattr(split, part):
            sample = next(s for s in dataset.samples if s.name == name)
            image, mask = dataset.read(sample)
            file = name.replace("/", "_") + ".png"
            for place in (f"{part}/{sample.label}", f"{short}_images/{short}"):
                np.testing.assert_array_equal(read_image(found[f"{place}/{file}"]), image)
            written = cv2.imread(str(found[f"{short}_masks/{short}/{file}"]), cv2.IMREAD_UNCHANGED)
            np.testing.assert_array_equal(written, 255 * mask)


def test_staged_classes_are_a_dataset_again(uneven, split, tmp_path):
    stage(load(uneven), split, tmp_path / "Data")
    again = load(tmp_path / "Data")
    assert again.task == "classification"
    assert again.label_counts == {"few": 2, "many": 9, "some": 4}


def test_balancing_adds_augmented_copies_to_training_only(uneven, split, tmp_path):
    result = stage(load(uneven), split, tmp_path / "Data", balance=True)
    assert result["images"]["train"] == {"few": 6, "many": 6, "some": 6}
    assert result["images"]["test"] == {"few": 1, "many": 1, "some": 1}
    found = files_of(tmp_path / "Data")
    copies = [name for name in found if "_aug" in name]
    assert len(copies) == 3 * 9
    assert all(name.startswith(("train/", "train_")) for name in copies)
    contents = {found[name].read_bytes() for name in found if name.startswith("train/few/")}
    assert len(contents) == 6
    for name in (name for name in copies if name.startswith("train_masks/")):
        mask = read_mask(found[name])
        assert mask.any()
        assert found[name.replace("masks", "images")].is_file()


def test_staging_is_reproducible(uneven, split, tmp_path):
    contents = []
    for place, seed in (("a", 1), ("b", 1), ("c", 2)):
        stage(load(uneven), split, tmp_path / place, balance=True, seed=seed)
        contents.append({k: p.read_bytes() for k, p in files_of(tmp_path / place).items()})
    assert contents[0] == contents[1]
    assert contents[0].keys() == contents[2].keys()
    assert contents[0] != contents[2]


def test_only_the_tasks_that_are_possible(tmp_path):
    make_brain_mri(tmp_path / "brains")
    make_folder(tmp_path / "plain")
    for place, tasks in (("brains", ["classification"]), ("plain", ["segmentation"])):
        dataset = load(tmp_path / place)
        split = Split(tuple(s.name for s in dataset.samples), (), ())
        assert stage(dataset, split, tmp_path / f"{place}_out")["tasks"] == tasks
    image = next((tmp_path / "plain_out/train_images/train").iterdir())
    assert read_image(image).tolist() == noise(int(image.stem), 3).tolist()


def test_folder_in_use_is_refused_and_kept(uneven, split, tmp_path):
    (tmp_path / "Data").mkdir()
    stage(load(uneven), split, tmp_path / "Data")
    before = files_of(tmp_path / "Data").keys()
    with pytest.raises(InputError, match="Data: exists already; remove it or choose another"):
        stage(load(uneven), split, tmp_path / "Data")
    assert files_of(tmp_path / "Data").keys() == before


def test_broken_image_leaves_nothing_behind(uneven, split, tmp_path):
    (uneven / "images/some/10.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"some/10\.png: is empty"):
        stage(load(uneven), split, tmp_path / "out/Data")
    assert list((tmp_path / "out").iterdir()) == []


def test_names_that_would_collide_are_refused(tmp_path):
    for path in ("a/b_1", "a_b/1"):
        save(tmp_path / f"set/images/{path}.png", noise(1))
        save(tmp_path / f"set/masks/{path}.png", 255 * box(1))
    dataset = load(tmp_path / "set")
    split = Split(tuple(s.name for s in dataset.samples), (), ())
    with pytest.raises(InputError, match=r"'a/b_1' and 'a_b/1' would both be a_b_1\.png; rename"):
        stage(dataset, split, tmp_path / "out")


def test_channels_that_no_picture_holds_are_refused(tmp_path):
    make_brats_h5(tmp_path / "h5")
    dataset = load(tmp_path / "h5")
    split = Split(tuple(s.name for s in dataset.samples), (), ())
    with pytest.raises(InputError, match="masks mark necrosis, oedema, enhancing; staging takes"):
        stage(dataset, split, tmp_path / "out")
    assert not (tmp_path / "out").exists()
