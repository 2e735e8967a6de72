"""Sound datasets, spoilt at random from a seed, as users' folders are."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tests.data.makers import HEIGHT, MAKERS, WIDTH, box, noise, save

SUFFIXES = (".png", ".jpg", ".tif", ".gif", ".bmp", ".nrrd", ".dcm", ".json", ".h5", ".PNG", "")
LITTER = ("._a.png", ".ipynb_checkpoints/a.png", "__MACOSX/b.png", "Thumbs.db", "notes.json")
NAMES = ("masks", "images", "train", "val", "label", "JPEGImages", "SegmentationClass", "x")


def make_pairs(root):
    for seed in range(6):
        save(root / f"JPEGImages/{seed}.jpg", noise(seed, 3))
        save(root / f"SegmentationClass/{seed}.png", box(seed))


def make_coco(root):
    for seed in range(6):
        save(root / f"train/{seed}.png", noise(seed))
    shape = {"size": [HEIGHT, WIDTH], "counts": [5, 9, HEIGHT * WIDTH - 14]}
    drawn = ([[1, 1, 9, 1, 9, 9]], shape)
    content = {
        "images": [{"id": n, "file_name": f"{n}.png", "width": WIDTH} for n in range(6)],
        "annotations": [
            {"id": n, "image_id": n, "category_id": n % 2, "segmentation": drawn[n % 2]}
            for n in range(6)
        ],
        "categories": [{"id": n, "name": f"kind {n}"} for n in range(2)],
    }
    (root / "train/_annotations.coco.json").write_text(json.dumps(content))


def make_labelme(root):
    for seed in range(6):
        save(root / f"{seed}.jpg", noise(seed))
        shape = {"label": "lesion", "points": [[1, 1], [9, 1], [9, 9]], "shape_type": "polygon"}
        content = {"shapes": [shape] * (seed % 3), "imagePath": f"{seed}.jpg", "imageData": None}
        (root / f"{seed}.json").write_text(json.dumps(content))


def make_stacks(root):
    for seed in range(3):
        for kind, pages in (
            ("images", [noise(10 * seed + k) for k in range(3)]),
            ("masks", [255 * box(seed + k) for k in range(3)]),
        ):
            path = root / f"{kind}/{seed}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            first, *others = map(Image.fromarray, pages)
            first.save(path, save_all=True, append_images=others)


BASES: dict[str, Callable[[Path], None]] = {
    **{name: maker.make for name, maker in MAKERS.items()},
    "pairs": make_pairs,
    "coco": make_coco,
    "labelme": make_labelme,
    "stacks": make_stacks,
}


def mutate(root: Path, seed: int) -> str:
    """Write a sound dataset and spoil it a few times.

    Returns:
        What was done, for the report of a failure.
    """
    rng = np.random.default_rng(seed)
    base = _one(list(BASES), rng)
    BASES[base](root)
    done = [base]
    for _ in range(rng.integers(1, 5)):
        found = sorted(path for path in root.rglob("*") if path.is_file())
        if not found:
            break
        change = _one(list(CHANGES), rng)
        done.append(change)
        CHANGES[change](root, found[rng.integers(len(found))], rng)
    return f"seed {seed}: {', '.join(done)}"


def _one(choices, rng):
    return choices[rng.integers(len(choices))]


def _cut(root, path, rng):
    content = path.read_bytes()
    path.write_bytes(content[: rng.integers(len(content) + 1)])


def _flip(root, path, rng):
    content = bytearray(path.read_bytes())
    for place in rng.integers(0, max(len(content), 1), rng.integers(1, 20)):
        if place < len(content):
            content[place] = rng.integers(256)
    path.write_bytes(content)


def _flip_header(root, path, rng):
    content = bytearray(path.read_bytes())
    for place in rng.integers(0, 200, 6):
        if place < len(content):
            content[place] = rng.choice([0, 255, rng.integers(256)])
    path.write_bytes(content)


def _rename(root, path, rng):
    path.rename(path.with_suffix(_one(SUFFIXES, rng)))


def _double(root, path, rng):
    other = path.with_suffix(_one(SUFFIXES, rng))
    if not other.exists():
        shutil.copy(path, other)


def _folder_instead(root, path, rng):
    path.unlink()
    path.mkdir()


def _dead_link(root, path, rng):
    path.unlink()
    path.symlink_to(_one(["nowhere.png", path.name, "/"], rng))


def _litter(root, path, rng):
    other = path.parent / _one(LITTER, rng)
    other.parent.mkdir(exist_ok=True)
    other.write_bytes(rng.bytes(60))


def _rename_folder(root, path, rng):
    folder = path.parent
    other = folder.with_name(_one(NAMES, rng))
    if folder != root and not other.exists():
        folder.rename(other)


def _deeper(root, path, rng):
    inner = path.parent / _one(NAMES, rng)
    inner.mkdir(exist_ok=True)
    if not (inner / path.name).exists():
        path.rename(inner / path.name)


def _odd_name(root, path, rng):
    name = _one(["a: b", "\u8d85 \u58f0", "a\nb", "%s{}", "x" * 200, "-o", "benign (1)"], rng)
    path.rename(path.with_name(f"{name}{path.suffix}"))


def _odd_pixels(root, path, rng):
    values = KINDS[_one(list(KINDS), rng)](rng)
    image = values if isinstance(values, Image.Image) else Image.fromarray(values)
    path.unlink()
    kind = ".tif" if image.mode in ("F", "I") else ".png"
    image.save(path.with_suffix(kind))


def _every_mask(root, path, rng):
    """Give all files of one folder values of one kind."""
    kind = KINDS[_one(list(KINDS), rng)]
    for each in sorted(path.parent.glob("*.png")):
        if each.is_file():
            values = kind(rng)
            image = values if isinstance(values, Image.Image) else Image.fromarray(values)
            if image.mode not in ("F", "I"):
                image.save(each)


def _odd_json(root, path, rng):
    values = [None, [], {}, "", 1e308, -1, [[]], {"a": []}, True, float("nan"), "../../x.png"]
    target = next((each for each in root.rglob("*.json") if each.is_file()), None)
    try:
        content = json.loads(target.read_text()) if target else None
    except (ValueError, OSError):
        return
    place = content
    while isinstance(place, dict | list) and place:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = keys[rng.integers(len(keys))]
        if rng.random() < 0.3 or not isinstance(place[key], dict | list) or not place[key]:
            place[key] = values[rng.integers(len(values))]
            target.write_text(json.dumps(content))
            return
        place = place[key]


def _swap(root, path, rng):
    folders = sorted(each for each in path.parent.parent.iterdir() if each.is_dir())
    if path.parent != root and len(folders) > 1:
        first, second = folders[0], folders[-1]
        first.rename(first.with_name("between"))
        second.rename(first)
        first.with_name("between").rename(second)


KINDS = {
    "labels": lambda rng: np.uint8(rng.integers(0, 4)) * box(rng.integers(99)),
    "two labels": lambda rng: box(1) + np.uint8(2) * np.roll(box(rng.integers(9)), 7, 0),
    "trimap": lambda rng: box(rng.integers(99)) + np.uint8(1),
    "shades": lambda rng: noise(rng.integers(99)),
    "deep": lambda rng: noise(rng.integers(99)).astype(np.uint16) * np.uint16(16),
    "full": lambda rng: np.full((HEIGHT, WIDTH), 255, np.uint8),
    "black": lambda rng: np.zeros((HEIGHT, WIDTH), np.uint8),
    "real": lambda rng: noise(rng.integers(99)).astype(np.float32) - 20,
    "not a number": lambda rng: np.full((HEIGHT, WIDTH), np.nan, np.float32),
    "palette": lambda rng: Image.fromarray(noise(rng.integers(99), 3)).quantize(5),
    "colours": lambda rng: np.dstack([200 * box(1), 90 * box(5), 0 * box(1)]).astype(np.uint8),
    "alpha": lambda rng: noise(rng.integers(99), 4),
    "small": lambda rng: np.uint8([[0, 1]]),
    "large whole": lambda rng: np.full((HEIGHT, WIDTH), 2**31 - 1, np.int32),
}
CHANGES = {
    "cut": _cut,
    "flip": _flip,
    "flip the header": _flip_header,
    "delete": lambda root, path, rng: path.unlink(),
    "rename": _rename,
    "double": _double,
    "folder instead": _folder_instead,
    "link": _dead_link,
    "litter": _litter,
    "rename folder": _rename_folder,
    "deeper": _deeper,
    "odd name": _odd_name,
    "odd pixels": _odd_pixels,
    "every mask": _every_mask,
    "odd json": _odd_json,
    "swap": _swap,
}
