import os
import re

import h5py
import nibabel
import numpy as np
import pytest

from tests.data.makers import (
    MODALITIES,
    h5_content,
    h5_slice,
    make_brats_h5,
    make_brats_nifti,
    volume,
)
from tinyseg.data import find, load
from tinyseg.data.check import check
from tinyseg.data.layouts import brats_nifti
from tinyseg.data.layouts.brats_h5 import scan_brats_h5
from tinyseg.data.layouts.slices import middle, to_8_bit
from tinyseg.data.pipeline import evaluation_batches, training_batches
from tinyseg.data.splits import make_split
from tinyseg.data.store import open_store
from tinyseg.errors import InputError
from tinyseg.plan import PreprocessingPlan

REGIONS = ("necrosis", "oedema", "enhancing")
EXACT = PreprocessingPlan(24, 24, 4)


@pytest.fixture
def h5(tmp_path):
    make_brats_h5(tmp_path / "h5")
    return tmp_path / "h5"


@pytest.fixture
def nifti(tmp_path):
    make_brats_nifti(tmp_path / "nifti")
    return tmp_path / "nifti"


def stretched(values):
    """Minimum to maximum of each channel on 0 to 255."""
    low, high = values.min((0, 1)), values.max((0, 1))
    return np.round((values - low) / (high - low) * 255)


# HDF5 slices


def test_h5_slices_are_read_as_four_channels_and_three_regions(h5):
    dataset = load(f"{h5}:slices=1")
    assert (dataset.name, dataset.regions, dataset.task) == ("brats2020", REGIONS, "segmentation")
    assert [s.name for s in dataset.samples[:2]] == ["volume_1/slice_0", "volume_1/slice_1"]
    for number, sample in enumerate(dataset.samples):
        values, mask = h5_content(100 * (1 + number // 4) + number % 4)
        image, read_mask = dataset.read(sample)
        assert image.dtype == read_mask.dtype == np.uint8
        np.testing.assert_allclose(image, stretched(values), atol=1)
        np.testing.assert_array_equal(read_mask, mask)


def test_default_is_the_middle_half_of_each_patient(tmp_path):
    """The 77 slices 39 to 115 of 155, as published for this dataset; no file is opened."""
    for patient in (2, 10):
        for index in range(155):
            (tmp_path / f"volume_{patient}_slice_{index}.h5").touch()
    samples, problems = scan_brats_h5(tmp_path)
    assert problems == []
    names = [f"volume_{p}/slice_{i}" for p in (2, 10) for i in range(39, 116)]
    assert [sample.name for sample in samples] == names
    assert len(scan_brats_h5(tmp_path, 0.25)[0]) == 2 * 38
    assert len(scan_brats_h5(tmp_path, 1)[0]) == 310


@pytest.mark.parametrize(
    ("count", "part", "rows"),
    [(155, 0.5, (39, 115)), (4, 0.5, (1, 2)), (3, 0.1, (1, 1)), (1, 0.01, (0, 0)), (5, 1, (0, 4))],
)
def test_middle(count, part, rows):
    chosen = list(middle(range(count), part))
    assert (chosen[0], chosen[-1]) == rows
    assert chosen == list(range(rows[0], rows[1] + 1))


def test_middle_of_nothing_is_nothing():
    assert list(middle([], 0.5)) == []


@pytest.mark.parametrize("share", ["0", "-1", "1.01", "many", "", "nan"])
@pytest.mark.parametrize("kind", ["h5", "nifti"])
def test_bad_share_of_slices_is_refused(kind, share, request):
    root = request.getfixturevalue(kind)
    with pytest.raises(InputError, match=r"slices= takes a share above 0 and at most 1$"):
        load(f"{root}:slices={share}")


def test_doubled_slice_is_named(h5):
    h5_slice(h5 / "copy/volume_1_slice_2.h5", *h5_content(1))
    with pytest.raises(InputError, match=r"volume_1_slice_2\.h5: same slice as .*; remove one"):
        load(h5)


def test_h5_image_with_other_channels_is_named(h5):
    path = h5 / "content/data/volume_3_slice_1.h5"
    h5_slice(path, np.zeros((24, 24, 3)), np.zeros((24, 24, 3)))
    dataset = load(h5)
    sample = next(s for s in dataset.samples if s.image == path)
    with pytest.raises(
        InputError, match=rf"^{re.escape(str(path))}: 'image' is \(24, 24, 3\), not"
    ):
        dataset.read(sample)


def test_uniform_channel_becomes_black(tmp_path):
    values = np.dstack([np.full((4, 5), 7.0), np.arange(20.0).reshape(4, 5)])
    image = to_8_bit(values, tmp_path)
    assert not image[..., 0].any()
    assert (image[..., 1].min(), image[..., 1].max()) == (0, 255)


# Through store, split and pipeline


@pytest.mark.parametrize("kind", ["h5", "nifti"])
def test_patients_are_never_parted(kind, request):
    store = open_store(load(f"{request.getfixturevalue(kind)}:slices=1"), EXACT)
    patients = [name.rpartition("/")[0] for name in store.names]
    groups = store.groups()
    assert len(set(groups.tolist())) == len(set(patients)) == 4
    for seed in range(8):
        split = make_split(store.names, store.labels, groups, (0.5, 0.25, 0.25), seed)
        parts = [{name.rpartition("/")[0] for name in getattr(split, part)}
                 for part in ("train", "validation", "test")]  # fmt: skip
        assert sum(map(len, parts)) == 4
        assert set.union(*parts) == set(patients)


def test_store_keeps_channels_and_regions(h5):
    dataset = load(h5)
    store = open_store(dataset, EXACT)
    assert store.images.shape == (8, 24, 24, 4)
    assert store.masks.shape == store.targets.shape == (8, 24, 24, 3)
    assert (store.regions, store.classes, store.task) == (REGIONS, (), "segmentation")
    for row, sample in enumerate(dataset.samples):
        image, mask = dataset.read(sample)
        np.testing.assert_array_equal(store.images[row], image)
        np.testing.assert_array_equal(store.masks[row], mask)
    small = open_store(dataset, PreprocessingPlan(12, 8, 4))
    assert (small.images.shape, small.masks.shape) == ((8, 12, 8, 4), (8, 12, 8, 3))
    assert set(np.unique(small.masks)) == {0, 1}


@pytest.mark.parametrize("channels", [1, 3])
def test_another_number_of_channels_is_refused_with_the_cure(h5, channels):
    message = rf"^preprocessing\.channels: .* 4 channels .* takes {channels}; --set .*channels=4$"
    with pytest.raises(InputError, match=message):
        open_store(load(h5), PreprocessingPlan(8, 8, channels))


def test_batches_hold_channels_and_regions(h5):
    store = open_store(load(h5), EXACT)
    images, masks = next(iter(evaluation_batches(store, EXACT, 8)))
    np.testing.assert_allclose(images, store.images / 255, atol=1e-6)
    np.testing.assert_array_equal(masks, store.masks)
    for images, masks in training_batches(store, EXACT, 3).take(3):
        assert images.shape[1:] == (24, 24, 4)
        assert masks.shape[1:] == (24, 24, 3)
        assert set(np.unique(masks)) <= {0, 1}


def test_augmentation_moves_all_regions_alike(h5):
    """A region that contains another one still does, pixel for pixel."""
    store = open_store(load(h5), EXACT)
    masks = np.repeat(store.masks[..., :1], 3, axis=-1)
    masks[..., 1] |= store.masks[..., 1]
    nested = type(store)(store.samples, store.images, masks, store.signatures, "", REGIONS)
    for _, batch in training_batches(nested, EXACT, 8).take(4):
        batch = batch.numpy()
        np.testing.assert_array_equal(batch[..., 0], batch[..., 2])
        assert (batch[..., 0] <= batch[..., 1]).all()
        assert batch[..., 0].any()


def test_check_counts_regions(h5):
    report = check(f"{h5}:slices=1")
    assert report.ok
    assert (report.images, report.masks, report.task) == (16, 16, "segmentation")
    store = open_store(load(f"{h5}:slices=1"), EXACT)
    assert report.regions == pytest.approx(
        dict(zip(REGIONS, store.masks.mean((0, 1, 2)), strict=True))
    )
    assert report.foreground["pooled"] == pytest.approx(store.masks.any(-1).mean())
    assert "regions, of all pixels: necrosis" in report.as_text()


# NIfTI volumes


def test_nifti_slices_have_the_channels_of_h5_and_labels_become_regions(nifti):
    dataset = load(f"{nifti}:slices=1")
    assert (dataset.name, dataset.regions) == ("brats_nifti", REGIONS)
    assert len(dataset) == 16
    sample = dataset.samples[5]
    assert sample.name == "BraTS20_Training_002/slice_001"
    assert sample.group == "BraTS20_Training_002"
    folder = nifti / sample.group
    stem = f"{folder.name}_"
    raw = {
        name: np.asanyarray(nibabel.load(folder / f"{stem}{name}.nii.gz").dataobj)[..., 1]
        for name in (*MODALITIES, "seg")
    }
    image, mask = dataset.read(sample)
    wanted = np.dstack([raw[name] for name in ("t1", "t1ce", "t2", "flair")])
    np.testing.assert_allclose(image, stretched(wanted.astype(float)), atol=1)
    np.testing.assert_array_equal(mask, np.dstack([raw["seg"] == label for label in (1, 2, 4)]))


def test_label_3_belongs_to_the_necrotic_core(tmp_path):
    labels = np.arange(5, dtype=np.float32).reshape(1, 5, 1).repeat(4, 0)
    volume(tmp_path / "p/x_T1c_norm.nii.gz", labels)
    volume(tmp_path / "p/OTMultiClass.nii.gz", labels)
    volume(tmp_path / "p/brainmask.nii.gz", labels)
    dataset = load(tmp_path)
    image, mask = dataset.read(dataset.samples[0])
    assert image.shape == (4, 5, 1)
    assert mask[0].T.tolist() == [[0, 1, 0, 1, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 1]]


def test_each_volume_is_decoded_once(nifti, monkeypatch):
    decoded, decode = [], brats_nifti._decode
    monkeypatch.setattr(
        brats_nifti, "_decode", lambda path, header: decoded.append(path) or decode(path, header)
    )
    open_store(load(f"{nifti}:slices=1"), EXACT)
    assert len(decoded) == len(set(decoded)) == 4 * 5


def test_folder_of_one_patient_will_do(nifti):
    dataset = load(f"{nifti}/BraTS20_Training_003:slices=1")
    assert dataset.samples[0].name == "BraTS20_Training_003/slice_000"
    assert {s.group for s in dataset.samples} == {"BraTS20_Training_003"}


def test_second_file_of_a_modality_is_named(nifti):
    folder = nifti / "BraTS20_Training_001"
    path = volume(folder / "old_t2.nii", np.zeros((20, 24, 4), np.int16))
    with pytest.raises(InputError, match=rf"^{path}: same modality as .*_t2\.nii\.gz; remove one"):
        load(nifti)


def test_layout_names_have_places(tmp_path, h5, monkeypatch):
    monkeypatch.chdir(h5)
    monkeypatch.setenv("TINYSEG_DATA", str(tmp_path))
    os.rename(h5, tmp_path / "brats2020")
    assert find("brats2020")[0] == tmp_path / "brats2020"
    assert len(load("brats2020:slices=1")) == 16


@pytest.mark.real_data
def test_real_volumes(real_data):
    dataset = load("brats_nifti")
    root = real_data / "brats2015_nifti/brats2015TrainingData/train/brats_2013_pat0005_1"
    assert len(dataset) == 77
    assert dataset.samples[0].name.endswith("slice_039")
    raw = [
        np.asanyarray(nibabel.load(root / f"{name}.nii.gz").dataobj)
        for name in ("T1c_subtrMeanDivStd", "Flair_subtrMeanDivStd", "OTMultiClass")
    ]
    for sample in dataset.samples[::15]:
        image, mask = dataset.read(sample)
        assert image.shape == (240, 240, 2)
        t1c, flair, labels = (values[..., sample.index] for values in raw)
        np.testing.assert_allclose(image, stretched(np.dstack([t1c, flair])), atol=1)
        wanted = [np.isin(labels, own) for own in ((1, 3), (2,), (4,))]
        np.testing.assert_array_equal(mask, np.dstack(wanted))
    report = check("brats_nifti")
    assert report.ok
    assert (report.images, report.empty_masks) == (77, 20)
    store = open_store(dataset, PreprocessingPlan(64, 64, 2))
    assert set(store.groups().tolist()) == {0}


def test_real_names_of_kaggle_are_found(tmp_path):
    """Kaggle's folder, with the tables that lie beside the slices."""
    folder = tmp_path / "BraTS2020_training_data/content/data"
    h5_slice(folder / "volume_41_slice_0.h5", *h5_content(3))
    (folder / "meta_data.csv").write_text("slice_path,target,volume,slice\n")
    with h5py.File(folder / "name.h5", "w"):
        pass
    assert [s.name for s in load(tmp_path).samples] == ["volume_41/slice_0"]
