"""What every loader does with files that are broken, odd, doubled or missing."""

import gzip
import json
import re
import shutil

import h5py
import nibabel
import numpy as np
import pytest
from PIL import Image

from tests.data.made import ALL, CLASSES, MASKED_PICTURES, PAIRED, PICTURES, Made, every
from tests.data.makers import head, noise, volume
from tinyseg.data import load
from tinyseg.data.check import check
from tinyseg.data.splits import make_split, read_split
from tinyseg.errors import InputError


def refused(made, path, cache, reason=""):
    """Assert one line that names the file and the cure, also among others, and nothing written."""
    with pytest.raises(InputError) as caught:
        made.decode()
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert re.search(reason, line)
    assert "; " in line
    assert "\n" not in line
    assert not [entry for entry in cache.iterdir() if entry.name != "fetched"]
    report = check(made.source)
    assert not report.ok
    assert str(path) in {p.path for p in report.problems if p.severity == "error"}


# Sound ones


@every(ALL)
def test_sound_dataset_passes(made):
    dataset = load(made.source)
    report = check(made.source)
    assert report.ok
    assert report.problems == ()
    assert report.images == len(dataset) >= 8
    store = made.decode()
    assert store.images.shape == (len(dataset), 16, 16, made.maker.channels)
    assert store.masks.shape == (len(dataset), 16, 16, len(dataset.regions))
    assert set(np.unique(store.targets)) == {0, 1}
    assert dataset.task == ("classification" if dataset.classes else "segmentation")
    assert load(made.source).fingerprint() == store.fingerprint


# Files that cannot be read


@every(ALL)
@pytest.mark.parametrize("damage", ["empty", "text", "truncated"])
def test_unreadable_image_is_named(made, damage, cache):
    spoil(made.image, damage)
    refused(made, made.image, cache, "replace")


@every(PAIRED)
@pytest.mark.parametrize("damage", ["empty", "text", "truncated"])
def test_unreadable_mask_is_named(made, damage, cache):
    spoil(made.mask, damage)
    refused(made, made.mask, cache, "replace")


def spoil(path, damage):
    content = path.read_bytes()
    cut = content[: len(content) * 2 // 3]
    path.write_bytes({"empty": b"", "text": b"not an image " * 40, "truncated": cut}[damage])


@every(ALL)
def test_file_that_vanishes_is_named(made):
    dataset = load(made.source)
    made.image.unlink()
    with pytest.raises(InputError, match=f"^{re.escape(str(made.image))}: "):
        dataset.read(made.sample(dataset))
    with pytest.raises(InputError, match=re.escape(str(made.image))):
        dataset.fingerprint()


# Pairs


@every(PAIRED)
def test_missing_mask_is_named(made, cache):
    made.mask.unlink()
    where = made.mask.parent if made.mask.suffix == ".gz" else made.image
    refused(made, where, cache, "without (mask|label|segmentation)")


@every(PAIRED)
def test_mask_without_image_is_named(made, cache):
    if made.mask.suffix == ".gz":
        for path in made.image.parent.glob("*_[ft]*.nii.gz"):
            path.unlink()
        refused(made, made.mask.parent, cache, "without volumes")
    else:
        made.image.unlink()
        refused(made, made.mask, cache, "without image")


@every(["brats2020"])
@pytest.mark.parametrize("key", ["image", "mask"])
def test_h5_without_image_or_mask_is_named(made, key, cache):
    with h5py.File(made.image, "a") as file:
        del file[key]
    refused(made, made.image, cache, f"holds no '{key}'")


@every(["brats_nifti"])
def test_patient_without_a_modality_is_named(made, cache):
    made.image.unlink()
    refused(made, made.image.parent, cache, "has no t1, which other patients have")


@every(MASKED_PICTURES)
def test_mask_of_another_size_is_named(made, cache):
    with Image.open(made.mask) as mask:
        mask.resize((7, 5)).save(made.mask)
    refused(made, made.mask, cache, "mask is 7x5 but its image is 24x20")


@every(["brats2020"])
@pytest.mark.parametrize("shape", [(20, 24, 3), (24, 24, 2), (24, 24)])
def test_h5_mask_of_another_shape_is_named(made, shape, cache):
    with h5py.File(made.image, "a") as file:
        del file["mask"]
        file["mask"] = np.zeros(shape, np.uint8)
    refused(made, made.image, cache, "'mask' is .* but its image is")


@every(["brats_nifti"])
def test_volume_of_another_size_is_named(made, cache):
    volume(made.image, np.zeros((20, 22, 4), np.int16))
    # The others are held against the first, which is the spoilt one.
    second = made.image.with_name(made.image.name.replace("_t1.", "_t1ce."))
    refused(made, second, cache, "resample both to one grid")


@every(["brats_nifti"])
def test_volume_of_another_orientation_is_named(made, cache):
    values = np.asanyarray(nibabel.load(made.mask).dataobj)
    volume(made.mask, values, affine=np.diag([1, 1, 1, 1]))
    refused(made, made.mask, cache, "oriented otherwise")


@every(["brats_nifti"])
def test_volume_in_four_dimensions_is_named(made, cache):
    volume(made.image, np.zeros((20, 24, 4, 2), np.int16))
    refused(made, made.image, cache, "20x24x4x2, not a volume")


@every(["brats_nifti"])
def test_unknown_label_is_named(made, cache):
    values = np.asanyarray(nibabel.load(made.mask).dataobj).copy()
    values[0, 0, 0] = 7
    volume(made.mask, values)
    refused(made, made.mask, cache, "holds label 7")


# Values


@every(PICTURES)
def test_nan_in_an_image_is_named(made, cache):
    values = noise(1).astype(np.float32)
    values[2, 3] = np.nan
    refused(made, replace(made.image, Image.fromarray(values)), cache, "NaN")


@every(MASKED_PICTURES)
def test_nan_in_a_mask_is_named(made, cache):
    values = np.full((20, 24), np.nan, np.float32)
    refused(made, replace(made.mask, Image.fromarray(values)), cache, "NaN")


@every(["brats2020"])
@pytest.mark.parametrize("key", ["image", "mask"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_in_h5_is_named(made, key, value, cache):
    with h5py.File(made.image, "a") as file:
        values = file[key][()].astype(float)
        values[1, 2, 0] = value
        del file[key]
        file[key] = values
    refused(made, made.image, cache, "NaN or infinity")


@every(["brats_nifti"])
@pytest.mark.parametrize("which", ["image", "mask"])
def test_nan_in_nifti_is_named(made, which, cache):
    path = getattr(made, which)
    values = np.asanyarray(nibabel.load(path).dataobj).astype(np.float32)
    values[1, 2, 1] = np.nan
    volume(path, values)
    refused(made, path, cache, "NaN or infinity")


def replace(path, image):
    """Put a TIFF file, which takes real numbers, where another file was."""
    path.unlink()
    path = path.with_suffix(".tif")
    image.save(path)
    return path


# Folders


@every(ALL)
def test_folder_without_files_is_refused(made):
    for path in made.root.rglob("*"):
        if path.is_file():
            path.unlink()
    with pytest.raises(InputError, match=f"^{re.escape(str(made.root))}: "):
        load(made.source)
    assert not check(str(made.root)).ok


@every(CLASSES)
def test_class_without_images_is_named(made, cache):
    label = made.image.parent.name
    for path in made.root.rglob(f"{label}/*.png"):
        path.unlink()
    emptied = sorted(p for p in made.root.rglob(label) if p.is_dir())
    refused(made, emptied[-1], cache, "class without images")


@every(ALL)
def test_foreign_files_are_ignored(made):
    before = load(made.source).fingerprint()
    for folder in (made.root, made.image.parent):
        (folder / "Thumbs.db").write_bytes(b"x")
        (folder / "notes.txt").write_text("x")
    assert load(made.source).fingerprint() == before


# Duplicates


def double(made):
    """Put the marked files there again under another name; return what marks the copies."""
    mark = made.maker.mark
    copies = mark.replace("2", "99")
    for path in [path for path in made.root.rglob("*") if path.is_file()]:
        name = f"/{path.relative_to(made.root)}"
        if mark in name:
            other = made.root / name.replace(mark, copies).lstrip("/")
            other.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, other)
    return copies


def marked(made, dataset, mark):
    """Names of the samples read from files with a mark in their paths."""
    return {
        sample.name
        for sample in dataset.samples
        if any(mark in f"/{path.relative_to(made.root)}" for path in sample.files)
    }


@every(ALL)
def test_equal_images_are_never_parted(made, tmp_path):
    mark = double(made)
    store = made.decode()
    first, second = (marked(made, load(made.source), m) for m in (made.maker.mark, mark))
    assert len(first) == len(second) == (4 if made.maker.options else 1)
    groups = store.groups()
    for seed in range(10):
        split = make_split(store.names, store.labels, groups, (0.5, 0.25, 0.25), seed)
        parts = (split.train, split.validation, split.test)
        assert sum(bool((first | second) & set(part)) for part in parts) == 1
    halves = {"train": sorted(first), "validation": sorted(second), "test": []}
    path = tmp_path / "split.json"
    path.write_text(json.dumps(halves))
    with pytest.raises(InputError, match=r"near-duplicates .* are in different parts"):
        read_split(path, store.names, groups)


# Odd files


def test_gzip_that_is_no_volume_is_named(tmp_path, cache):
    made = Made("brats_nifti", tmp_path / "set")
    made.image.write_bytes(gzip.compress(b"no header"))
    refused(made, made.image, cache, "truncated or not NIfTI")


def test_h5_that_holds_text_is_named(tmp_path, cache):
    made = Made("brats2020", tmp_path / "set")
    with h5py.File(made.image, "w") as file:
        file["image"], file["mask"] = "text", "text"
    refused(made, made.image, cache, "holds no numbers")


def test_h5_of_implausible_size_is_named(tmp_path, cache):
    made = Made("brats2020", tmp_path / "set")
    with h5py.File(made.image, "w") as file:
        file.create_dataset("image", (1 << 20, 1 << 20, 4), chunks=(8, 8, 4), compression="gzip")
        file["mask"] = np.zeros((4, 4, 3))
    assert made.image.stat().st_size < 10_000
    refused(made, made.image, cache, "implausibly large")


def test_volume_of_implausible_size_is_named(tmp_path, cache):
    made = Made("brats_nifti", tmp_path / "set")
    header = nibabel.Nifti1Header()
    header.set_data_shape((32767, 32767, 32767))
    header["magic"], header["vox_offset"] = b"n+1", 352
    made.mask.write_bytes(gzip.compress(header.binaryblock + bytes(10_000)))
    refused(made, made.mask, cache, "implausibly large, 32767x32767x32767")


def test_crop_of_a_dark_image_keeps_it_whole(tmp_path):
    from tinyseg.data.layouts.brain_mri import crop_to_brain

    dark = (head(1) // 8).astype(np.uint8)
    np.testing.assert_array_equal(crop_to_brain(dark), dark)
    assert crop_to_brain(head(1)).shape < dark.shape
