import concurrent.futures
import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tinyseg.data import images, load
from tinyseg.data.store import open_store
from tinyseg.errors import InputError
from tinyseg.places import cache_folder
from tinyseg.plan import PreprocessingPlan
from tinyseg.preprocessing import normalise

# The size of the images in busi_like, so that nothing is resized.
EXACT = PreprocessingPlan(height=20, width=24, channels=1)


@pytest.fixture
def decoded(monkeypatch):
    """The image files that have been decoded so far."""
    paths, read = [], images.read_image

    def spy(path):
        paths.append(path)
        return read(path)

    monkeypatch.setattr(images, "read_image", spy)
    return paths


def test_rows_are_the_samples(busi_like):
    dataset = load(busi_like)
    store = open_store(dataset, EXACT)
    assert len(store) == 12
    assert store.samples == dataset.samples
    assert store.names == [f"{s}/{s} ({n})" for s in ("benign", "malignant") for n in range(1, 7)]
    assert store.labels == ["benign"] * 6 + ["malignant"] * 6
    assert store.images.shape == store.masks.shape == (12, 20, 24, 1)
    assert store.images.dtype == store.masks.dtype == np.uint8
    for row, name in enumerate(store.names):
        with Image.open(busi_like / f"{name}.png") as image:
            np.testing.assert_array_equal(store.images[row, ..., 0], np.asarray(image))
        with Image.open(busi_like / f"{name}_mask.png") as mask:
            np.testing.assert_array_equal(store.masks[row, ..., 0], np.asarray(mask) // 255)


def test_second_open_decodes_nothing(busi_like, decoded):
    first = open_store(load(busi_like), EXACT)
    assert len(decoded) == 12
    second = open_store(load(busi_like), EXACT)
    assert len(decoded) == 12
    np.testing.assert_array_equal(first.images, second.images)
    np.testing.assert_array_equal(first.signatures, second.signatures)
    assert first.fingerprint == second.fingerprint == load(busi_like).fingerprint()


def test_normalisation_does_not_decode_again(busi_like, decoded):
    open_store(load(busi_like), EXACT)
    open_store(load(busi_like), dataclasses.replace(EXACT, scale=1.0, offset=-3.0))
    assert len(decoded) == 12


@pytest.mark.parametrize("change", [{"height": 21}, {"width": 21}, {"channels": 3}])
def test_another_size_is_decoded_anew(busi_like, decoded, change):
    open_store(load(busi_like), EXACT)
    preprocessing = dataclasses.replace(EXACT, **change)
    store = open_store(load(busi_like), preprocessing)
    assert len(decoded) == 24
    size = (preprocessing.height, preprocessing.width)
    assert store.images.shape == (12, *size, preprocessing.channels)
    assert store.masks.shape == (12, *size, 1)


def test_a_changed_file_is_decoded_anew(busi_like):
    before = open_store(load(busi_like), EXACT)
    Image.fromarray(np.full((20, 24), 77, np.uint8)).save(busi_like / "benign/benign (1).png")
    after = open_store(load(busi_like), EXACT)
    assert (after.images[0] == 77).all()
    assert not (before.images[0] == 77).all()


def test_a_file_that_was_given_a_false_name_is_refused_though_its_content_is_known(busi_like):
    open_store(load(busi_like), EXACT)
    image = busi_like / "benign/benign (1).png"
    image.rename(image.with_suffix(".dcm"))
    with pytest.raises(InputError, match="is not a DICOM file"):
        open_store(load(busi_like), EXACT)


@pytest.mark.parametrize("reason", [KeyboardInterrupt, InputError])
def test_interrupted_fill_leaves_nothing_behind(busi_like, cache, monkeypatch, reason):
    read = images.read_image

    def fail(path):
        if path.name == "malignant (2).png":
            raise reason("stop")
        return read(path)

    with monkeypatch.context() as patch:
        patch.setattr(images, "read_image", fail)
        with pytest.raises(reason):
            open_store(load(busi_like), EXACT)
    assert list(cache.iterdir()) == []
    assert len(open_store(load(busi_like), EXACT)) == 12


def test_unusable_image_is_named(busi_like, cache):
    (busi_like / "benign/benign (4)_mask.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"benign \(4\)_mask\.png: is empty"):
        open_store(load(busi_like), EXACT)
    assert list(cache.iterdir()) == []


def test_cache_that_cannot_be_written_is_named_with_the_cure(busi_like, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TINYSEG_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(InputError, match=r"file/cache: cannot write .* set TINYSEG_CACHE"):
        open_store(load(busi_like), EXACT)


def test_two_may_fill_the_cache_at_once(busi_like, cache):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: open_store(load(busi_like), EXACT), range(2))
    np.testing.assert_array_equal(first.images, second.images)
    assert len(list(cache.iterdir())) == 1


def test_cache_folder_follows_the_environment(monkeypatch):
    monkeypatch.setenv("TINYSEG_CACHE", "/a")
    monkeypatch.setenv("XDG_CACHE_HOME", "/b")
    monkeypatch.setenv("HOME", "/c")
    assert cache_folder() == Path("/a")
    monkeypatch.delenv("TINYSEG_CACHE")
    assert cache_folder() == Path("/b/tinyseg")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path("/c/.cache/tinyseg")


def test_select_takes_rows_in_the_order_asked_for(busi_like):
    store = open_store(load(busi_like), EXACT)
    some = store.select(["malignant/malignant (2)", "benign/benign (3)"])
    assert some.names == ["malignant/malignant (2)", "benign/benign (3)"]
    assert some.labels == ["malignant", "benign"]
    for name in ("images", "masks", "signatures"):
        np.testing.assert_array_equal(getattr(some, name), getattr(store, name)[[7, 2]])


def test_groups_join_equal_images(busi_like):
    (busi_like / "malignant/malignant (6).png").write_bytes(
        (busi_like / "benign/benign (2).png").read_bytes()
    )
    numbers = open_store(load(busi_like), EXACT).groups()
    assert numbers[1] == numbers[11]
    assert len(set(numbers.tolist())) == 11


def test_inputs_are_scaled_and_shifted(busi_like):
    preprocessing = dataclasses.replace(EXACT, scale=1 / 127.5, offset=-1.0)
    store = open_store(load(busi_like), preprocessing)
    inputs = store.inputs(preprocessing)
    assert inputs.dtype == np.float32
    np.testing.assert_allclose(inputs, np.asarray(store.images, float) / 127.5 - 1, atol=1e-6)
    assert normalise(np.uint8([0, 255]), preprocessing).tolist() == pytest.approx([-1, 1])
