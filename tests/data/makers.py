"""Small sound datasets in the true formats of every loader, written by the tests themselves."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import h5py
import nibabel
import numpy as np
from PIL import Image

from tinyseg.data import labels, masks

HEIGHT, WIDTH = 20, 24
GREY = np.arange(20, dtype=np.uint8).reshape(4, 5)
MASK = np.uint8(GREY > 9)


def names(dataset):
    return [sample.name for sample in dataset.samples]


def read_mask(path):
    """A mask as it is read where it is the only one of its data set."""
    pixels = masks.open_mask(path)
    return labels.suggested_rule([masks.levels(pixels, path)]).apply(pixels)


def noise(seed, channels=0, height=HEIGHT, width=WIDTH):
    shape = (height, width, channels) if channels else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def box(seed, height=HEIGHT, width=WIDTH):
    """A mask, 0 and 1, that differs from seed to seed."""
    mask = np.zeros((height, width), np.uint8)
    mask[3 : 6 + seed % 9, 4 : 9 + seed % 7] = 1
    return mask


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def make_busi(root):
    for seed in range(10):
        stem = root / ("benign", "malignant")[seed % 2] / f"one ({seed})"
        save(stem.with_name(f"{stem.name}.png"), noise(seed))
        save(stem.with_name(f"{stem.name}_mask.png"), 255 * box(seed))


def make_folder(root):
    for seed in range(8):
        save(root / f"images/{seed}.png", noise(seed, 3))
        save(root / f"masks/{seed}_mask.png", 255 * box(seed))


def make_uneven(root):
    """Nine images of one label, four of another and two of a third, with masks."""
    for seed, label in enumerate(["many"] * 9 + ["some"] * 4 + ["few"] * 2):
        save(root / f"images/{label}/{seed}.png", noise(seed))
        save(root / f"masks/{label}/{seed}.png", 255 * box(seed))


def make_dsb2018(root):
    for seed in range(8):
        folder = root / f"stage1_train/id{seed}"
        save(folder / f"images/id{seed}.png", noise(seed, 3))
        save(folder / "masks/a.png", 255 * box(seed))


def make_em(root):
    for seed in range(8):
        save(root / f"data/membrane/train/image/{seed}.png", noise(seed))
        save(root / f"data/membrane/train/label/{seed}.png", 255 * box(seed))


def make_isic(root):
    for seed in range(8):
        name = f"ISIC_{seed:07d}"
        save(root / f"ISIC2018_Task1-2_Training_Input/{name}.png", noise(seed, 3))
        save(root / f"ISIC2018_Task1_Training_GroundTruth/{name}_segmentation.png", 255 * box(seed))


def make_dic1(root):
    for seed in range(8):
        save(root / f"img_{seed:06d}_1.tif", noise(seed))
        save(root / f"img_{seed:06d}_1_mask.tif", 255 * box(seed))
        np.save(root / f"img_{seed:06d}_1_weights.npy", np.ones((HEIGHT, WIDTH)))


def head(seed, size=64):
    """A bright speckled disc, off the middle, on black."""
    y, x = np.mgrid[:size, :size]
    disc = (x - 28 - seed % 5) ** 2 + (y - 34) ** 2 < (15 + seed % 4) ** 2
    return np.where(disc, 100 + noise(seed, height=size, width=size) // 2, 0).astype(np.uint8)


def make_brain_mri(root):
    classes = ("glioma", "meningioma", "notumor", "pituitary")
    for seed in range(20):
        part = "Testing" if seed // 4 % 2 else "Training"
        save(root / f"{part}/{classes[seed % 4]}/im_{seed:04d}.png", head(seed))


def make_classes(root):
    for seed in range(15):
        save(root / f"{('cat', 'dog', 'eel')[seed % 3]}/{seed}.png", noise(seed, 3))


def h5_slice(path, image, mask):
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file["image"] = image
        file["mask"] = mask
    return path


def h5_content(seed, size=(24, 24)):
    """What Kaggle's files hold: standardised real numbers and three masks."""
    rng = np.random.default_rng(seed)
    image = rng.normal(size=(*size, 4)) * (1, 2, 3, 4)
    mask = np.stack([np.roll(box(seed, *size), 5 * region, 0) for region in range(3)], -1)
    return image, mask


def make_brats_h5(root, patients=4, slices=4):
    for patient in range(1, patients + 1):
        for index in range(slices):
            path = root / f"content/data/volume_{patient}_slice_{index}.h5"
            h5_slice(path, *h5_content(100 * patient + index))


def volume(path, values, affine=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    affine = np.diag([-1, -1, 1, 1]) if affine is None else affine
    nibabel.save(nibabel.Nifti1Image(values, affine), path)
    return path


MODALITIES = ("flair", "t1", "t1ce", "t2")


def make_brats_nifti(root, patients=4, depth=4):
    for patient in range(1, patients + 1):
        name = f"BraTS20_Training_{patient:03d}"
        rng = np.random.default_rng(patient)
        for modality in MODALITIES:
            values = rng.integers(0, 900, (HEIGHT, WIDTH, depth), np.int16)
            volume(root / name / f"{name}_{modality}.nii.gz", values)
        labels = rng.choice(np.array([0, 0, 1, 2, 4], np.uint8), (HEIGHT, WIDTH, depth))
        volume(root / name / f"{name}_seg.nii.gz", labels)


@dataclasses.dataclass(frozen=True)
class Maker:
    """How to write a dataset, and the files of one of its samples.

    Attributes:
        image, mask: the files; the mask's is None if there is none of its own.
        mark: what of their paths tells them from other samples' or, in BraTS, other patients'.
    """

    make: Callable[[Path], None]
    image: str
    mask: str | None
    mark: str
    channels: int = 1
    options: str = ""


MAKERS = {
    "busi": Maker(make_busi, "benign/one (2).png", "benign/one (2)_mask.png", "(2)"),
    "folder": Maker(make_folder, "images/2.png", "masks/2_mask.png", "/2", 3),
    "dsb2018": Maker(
        make_dsb2018, "stage1_train/id2/images/id2.png", "stage1_train/id2/masks/a.png", "id2", 3
    ),
    "em_isbi2012": Maker(
        make_em, "data/membrane/train/image/2.png", "data/membrane/train/label/2.png", "/2"
    ),
    "isic2018": Maker(
        make_isic,
        "ISIC2018_Task1-2_Training_Input/ISIC_0000002.png",
        "ISIC2018_Task1_Training_GroundTruth/ISIC_0000002_segmentation.png",
        "ISIC_0000002",
        3,
    ),
    "dic1": Maker(make_dic1, "img_000002_1.tif", "img_000002_1_mask.tif", "img_000002"),
    "brain_mri": Maker(make_brain_mri, "Training/notumor/im_0002.png", None, "im_0002"),
    "classes": Maker(make_classes, "eel/2.png", None, "/2.", 3),
    "brats2020": Maker(
        make_brats_h5, "content/data/volume_2_slice_1.h5", None, "volume_2", 4, ":slices=1"
    ),
    "brats_nifti": Maker(
        make_brats_nifti,
        "BraTS20_Training_002/BraTS20_Training_002_t1.nii.gz",
        "BraTS20_Training_002/BraTS20_Training_002_seg.nii.gz",
        "Training_002",
        4,
        ":slices=1",
    ),
}


def ellipses(count=10, height=32, width=40, channels=3):
    """Dark images with a bright ellipse each, and the ellipses' masks."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:height, :width]
    masks = np.zeros((count, height, width, 1), np.uint8)
    for mask in masks:
        centre = rng.uniform((0.3 * height, 0.3 * width), (0.7 * height, 0.7 * width))
        radius = rng.uniform(4, 9, 2)
        mask[((y - centre[0]) / radius[0]) ** 2 + ((x - centre[1]) / radius[1]) ** 2 < 1] = 1
    return np.repeat(masks * np.uint8(250), channels, axis=-1), masks
