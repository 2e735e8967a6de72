"""GIF, stacks of pages, DICOM, deep images, kinds that are not read, archives of Windows."""

import zipfile

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundImageStorage, generate_uid

from tests.data.makers import box, make_folder, names, noise, save
from tinyseg.data import images, load, reading
from tinyseg.data.check import check
from tinyseg.data.store import open_store
from tinyseg.errors import InputError
from tinyseg.plan import PreprocessingPlan

# GIF


def test_gif_masks_are_read(tmp_path):
    for number in range(3):
        name = f"PAT-{number}_1.3.6_high"
        save(tmp_path / f"images/{name}.jpg", noise(number))
        save(tmp_path / f"masks/{name}_mask.gif", 255 * box(number))
    dataset = load(tmp_path)
    for number, sample in enumerate(dataset.samples):
        np.testing.assert_array_equal(dataset.read(sample)[1], box(number))
    assert check(str(tmp_path)).problems == ()


# Stacks


def stack(path, pages):
    path.parent.mkdir(parents=True, exist_ok=True)
    first, *others = (Image.fromarray(page) for page in pages)
    first.save(path, save_all=True, append_images=others)


def test_pages_of_stacks_are_samples(tmp_path):
    for number in range(4):
        stack(tmp_path / f"images/v{number}.tif", [noise(10 * number + k) for k in range(3)])
        stack(tmp_path / f"masks/v{number}.tif", [255 * box(number + k) for k in range(3)])
    dataset = load(tmp_path)
    assert names(dataset)[:4] == [*(f"v0/page_000{k}" for k in range(3)), "v1/page_0000"]
    assert {sample.group for sample in dataset.samples} == {"v0", "v1", "v2", "v3"}
    image, mask = dataset.read(dataset.samples[4])
    np.testing.assert_array_equal(image, noise(11))
    np.testing.assert_array_equal(mask, box(2))
    store = open_store(dataset, PreprocessingPlan(20, 24, 1))
    np.testing.assert_array_equal(store.images[4, ..., 0], noise(11))
    assert check(str(tmp_path)).problems == ()


def test_stacks_of_other_lengths_are_named(tmp_path):
    stack(tmp_path / "images/v.tif", [noise(k) for k in range(3)])
    stack(tmp_path / "masks/v.tif", [255 * box(k) for k in range(2)])
    with pytest.raises(InputError, match=r"masks/v\.tif: mask has 2 pages but v\.tif 3; save a"):
        load(tmp_path)


# DICOM


def dicom(path, values, frames=0, **tags):
    """Write a grey DICOM file."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UltrasoundImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = pydicom.Dataset()
    file.file_meta = meta
    file.Rows, file.Columns = values.shape[-2:] if values.ndim < 4 else values.shape[1:3]
    file.SamplesPerPixel, file.PhotometricInterpretation = 1, "MONOCHROME2"
    file.BitsAllocated = file.BitsStored = 8 * values.itemsize
    file.HighBit, file.PixelRepresentation = file.BitsStored - 1, int(values.dtype.kind == "i")
    if frames:
        file.NumberOfFrames = frames
    for key, value in tags.items():
        setattr(file, key, value)
    file.HighBit = file.BitsStored - 1
    file.PixelData = values.tobytes() + b"\0" * (values.nbytes % 2)
    path.parent.mkdir(parents=True, exist_ok=True)
    file.save_as(path, enforce_file_format=True)
    return path


def test_dicom_of_8_bits_is_its_pixels(tmp_path):
    np.testing.assert_array_equal(images.read_image(dicom(tmp_path / "a.dcm", noise(1))), noise(1))
    inverted = dicom(tmp_path / "b.dcm", noise(1), PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(images.read_image(inverted), 255 - noise(1))


def test_dicom_window_is_applied(tmp_path):
    # Hounsfield units -1024 + value; the window is -100 to 300.
    values = np.int16([[924, 1124, 1324, 0, 4000]])
    path = dicom(
        tmp_path / "ct.dcm", values, RescaleSlope=1, RescaleIntercept=-1024,
        WindowCenter=100, WindowWidth=400,
    )  # fmt: skip
    np.testing.assert_allclose(images.read_image(path), [[0, 128, 255, 0, 255]], atol=1)


def test_dicom_without_window(tmp_path):
    bare = dicom(tmp_path / "a.dcm", np.int16([[-5, 9]]))
    with pytest.raises(InputError, match=r"a\.dcm: holds values from -5 and no window; export"):
        images.read_image(bare)
    twelve = dicom(tmp_path / "b.dcm", np.uint16([[0, 2048, 4095]]), BitsStored=12)
    whites = reading.survey_images([(twelve, None)], {}).whites
    assert whites == {"whole": 4095}
    np.testing.assert_array_equal(images.read_image(twelve, whites), [[0, 128, 255]])


def test_dicom_images_are_a_dataset_and_frames_samples(tmp_path):
    for number in range(3):
        values = np.stack([noise(10 * number + k) for k in range(2)])
        dicom(tmp_path / f"images/{number}.dcm", values, frames=2)
        stack(tmp_path / f"masks/{number}.tif", [255 * box(number + k) for k in range(2)])
    dataset = load(tmp_path)
    assert len(dataset) == 6
    image, mask = dataset.read(dataset.samples[3])
    np.testing.assert_array_equal(image, noise(11))
    np.testing.assert_array_equal(mask, box(2))
    assert check(str(tmp_path)).ok


def test_damaged_dicom_is_named(tmp_path):
    path = dicom(tmp_path / "a.dcm", noise(1))
    content = path.read_bytes()
    for cut, reason in ((len(content) // 2, "cannot be decoded"), (20, "is not a DICOM file")):
        path.write_bytes(content[:cut])
        with pytest.raises(InputError, match=rf"a\.dcm: {reason}.*; replace") as caught:
            images.read_image(path)
        assert "\n" not in str(caught.value)
    path.write_bytes(b"")
    with pytest.raises(InputError, match=r"a\.dcm: is empty"):
        images.read_image(path)


# More than 8 bits


@pytest.mark.parametrize(("bits", "kind"), [(10, "png"), (12, "png"), (14, "tif"), (12, "int32")])
def test_deep_images_are_scaled_by_the_data_set(tmp_path, bits, kind):
    white = 2**bits - 1
    for number, reach in enumerate((1.0, 0.3, 0.6)):
        values = np.round(noise(number) / 255 * white * reach)
        path = tmp_path / f"images/{number}.{'tif' if kind == 'int32' else kind}"
        save(path, values.astype(np.int32 if kind == "int32" else np.uint16))
        save(tmp_path / f"masks/{number}.png", 255 * box(number))
    store = open_store(load(tmp_path), PreprocessingPlan(20, 24, 1))
    assert store.whites == {"whole": white}
    for number, reach in enumerate((1.0, 0.3, 0.6)):
        wanted = noise(number).astype(float) * reach
        np.testing.assert_allclose(store.images[number, ..., 0], wanted, atol=1)
    doubts = [doubt.message for doubt in store.doubts]
    assert len([line for line in doubts if f"read as {bits} bits" in line]) == 3


def test_white_that_a_network_was_trained_with_comes_first(tmp_path):
    path = save(tmp_path / "a.png", np.uint16([[0, 1000]]))
    found = reading.survey_images([(path, None)], {"whole": 4095})
    assert found.whites == {"whole": 4095}
    assert "as the network was trained with" in found.doubts[0].message
    beyond = save(tmp_path / "b.png", np.uint16([[0, 9000]]))
    found = reading.survey_images([(beyond, None)], {"whole": 4095})
    assert any("reaches beyond 4095, which is cut off" in d.message for d in found.doubts)


# Kinds that are not read


@pytest.mark.parametrize("kind", ["nrrd", "nii.gz", "npy", "heic"])
@pytest.mark.parametrize("which", ["images", "masks"])
def test_files_that_are_not_read_are_named_with_the_cure(tmp_path, kind, which):
    make_folder(tmp_path)
    name = "2_mask.png" if which == "masks" else "2.png"
    path = tmp_path / which / name
    path.rename(path.with_name(name.replace("png", kind)))
    with pytest.raises(InputError, match=rf"/{which}/2.*: \w+ is not read; convert it to png"):
        load(tmp_path)


def test_folder_of_nothing_that_is_read(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "scan.nrrd").write_bytes(b"NRRD")
    with pytest.raises(InputError, match=r"scan\.nrrd: nrrd is not read; convert it to png"):
        load(tmp_path)
    (tmp_path / "scan.nrrd").unlink()
    dicom(tmp_path / "IM0001", noise(1))
    with pytest.raises(InputError, match=r"IM0001: is DICOM without \.dcm in its name; rename"):
        load(tmp_path)


# Archives of Windows


def windows_zip(root, path, *more):
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(p for p in root.rglob("*") if p.is_file()):
            info = zipfile.ZipInfo("x")
            info.filename = str(file.relative_to(root)).replace("/", "\\")
            archive.writestr(info, file.read_bytes())
        for name in more:
            info = zipfile.ZipInfo("x")
            info.filename = name
            archive.writestr(info, b"x")
    return path


def test_backslashes_of_windows_part_folders(tmp_path):
    make_folder(tmp_path / "set")
    packed = windows_zip(tmp_path / "set", tmp_path / "a.zip", "empty\\", "images\\Thumbs.db")
    assert load(packed).fingerprint() == load(tmp_path / "set").fingerprint()


@pytest.mark.parametrize("name", ["..\\evil.png", "C:\\evil.png", "\\evil.png", "a\\..\\..\\evil"])
def test_backslashes_lead_no_more_out_than_others(tmp_path, name):
    make_folder(tmp_path / "set")
    packed = windows_zip(tmp_path / "set", tmp_path / "a.zip", name)
    with pytest.raises(InputError, match="leads out of its folder"):
        load(packed)
