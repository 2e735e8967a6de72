"""Masks drawn from the JSON files of COCO and LabelMe."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from tests.data.makers import HEIGHT, WIDTH, names, noise, save
from tinyseg.data import load
from tinyseg.data.check import check
from tinyseg.data.store import open_store
from tinyseg.errors import InputError
from tinyseg.plan import PreprocessingPlan

SQUARE = [4, 3, 12, 3, 12, 9, 4, 9]


def box(left, top, right, bottom):
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[top:bottom, left:right] = 1
    return mask


def runs(mask):
    """Pixels of a mask as COCO counts them: column by column, outside first."""
    flat = mask.T.ravel()
    ends = [0, *(np.flatnonzero(np.diff(flat)) + 1), len(flat)]
    lengths = np.diff(ends).tolist()
    return [0, *lengths] if flat[0] else lengths


def packed(counts):
    """Runs as text, by the description of pycocotools' rleToString."""
    text = ""
    for index, count in enumerate(counts):
        value = count - counts[index - 2] if index > 2 else count
        more = True
        while more:
            code, value = value & 31, value >> 5
            more = value != (-1 if code & 16 else 0)
            text += chr((code | (32 if more else 0)) + 48)
    return text


def annotation(number, image, segmentation, category=1):
    return {
        "id": number, "image_id": image, "category_id": category, "segmentation": segmentation,
    }  # fmt: skip


@pytest.fixture
def coco(tmp_path):
    """Write two images and a COCO file with these annotations."""

    def coco(*annotations, place="annotations/instances.json", folder="train"):
        for number in (1, 2):
            save(tmp_path / f"set/{folder}/{number}.png", noise(number))
        content = {
            "images": [{"id": n, "file_name": f"{n}.png"} for n in (1, 2)],
            "annotations": list(annotations),
            "categories": [{"id": 1, "name": "lesion"}, {"id": 7, "name": "cyst"}],
        }
        path = tmp_path / "set" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
        return tmp_path / "set"

    return coco


def masks(dataset):
    return [dataset.read(sample)[1] for sample in dataset.samples]


@pytest.mark.parametrize("kind", ["polygon", "runs", "text"])
def test_coco_shapes_of_every_kind(coco, kind):
    wanted = box(4, 3, 13, 10)  # A polygon's edge is part of it.
    counts = runs(wanted)
    size = [HEIGHT, WIDTH]
    drawn = {
        "polygon": [SQUARE],
        "runs": {"size": size, "counts": counts},
        "text": {"size": size, "counts": packed(counts)},
    }[kind]
    dataset = load(coco(annotation(1, 1, drawn)))
    assert names(dataset) == ["train/1", "train/2"]
    first, second = masks(dataset)
    np.testing.assert_array_equal(first, wanted)
    assert not second.any()
    assert check(str(dataset.root)).ok


def test_images_of_one_name_are_told_apart_by_the_annotations_name(coco):
    for part, number in (("train2017", 1), ("val2017", 2)):
        root = coco(
            annotation(1, number, [SQUARE]), place=f"notes/instances_{part}.json", folder=part
        )
    dataset = load(root)
    assert names(dataset) == ["train2017/1", "train2017/2", "val2017/1", "val2017/2"]
    assert [mask.any() for mask in masks(dataset)] == [True, False, False, True]
    (root / "notes/instances_val2017.json").rename(root / "notes/all.json")
    with pytest.raises(InputError, match=r"all\.json: image '1\.png' may be .*train2017"):
        load(root)


def test_coco_text_of_many_runs(coco):
    wanted = np.random.default_rng(3).integers(0, 2, (HEIGHT, WIDTH), np.uint8)
    drawn = {"size": [HEIGHT, WIDTH], "counts": packed(runs(wanted))}
    np.testing.assert_array_equal(masks(load(coco(annotation(1, 1, drawn))))[0], wanted)


def test_coco_categories_are_regions(coco):
    root = coco(
        annotation(1, 1, [SQUARE]),
        annotation(2, 2, {"size": [HEIGHT, WIDTH], "counts": runs(box(0, 0, 3, 3))}, 7),
        place="_annotations.coco.json",
        folder="images",
    )
    store = open_store(load(root), PreprocessingPlan(HEIGHT, WIDTH, 1))
    assert store.regions == ("cyst", "lesion")
    np.testing.assert_array_equal(store.masks[1, ..., 0], box(0, 0, 3, 3))
    assert not store.masks[1, ..., 1].any()
    np.testing.assert_array_equal(store.masks[0, ..., 1], box(4, 3, 13, 10))
    only = load(f"{root}:labels=cyst")
    assert only.regions == ("cyst",)
    assert not masks(only)[0].any()
    assert masks(load(f"{root}:labels=any:cyst+lesion"))[0].any()
    with pytest.raises(InputError, match="no 'node' here; the categories are cyst, lesion"):
        load(f"{root}:labels=node")


@pytest.mark.parametrize(
    ("drawn", "reason"),
    [
        ([], "has no segmentation, a box at most"),
        ([[1, 2, 3, 4]], "polygon that is none"),
        ([[1, 2, "x", 4, 5, 6]], "polygon that is none"),
        ({"size": [HEIGHT, WIDTH], "counts": [3, 4]}, "runs that do not fill its size"),
        ({"size": [HEIGHT, WIDTH], "counts": "?"}, "runs that do not fill its size"),
        ({"size": [1 << 30, 1 << 30], "counts": [1 << 60]}, "runs that do not fill its size"),
    ],
)
def test_coco_annotation_at_fault_is_named(coco, drawn, reason):
    root = coco(annotation(1, 1, drawn))
    with pytest.raises(InputError, match=rf"instances\.json: annotation 1 has .*{reason[4:]}"):
        load(root)
    assert not check(str(root)).ok


def test_coco_file_at_fault_is_named(coco):
    root = coco(annotation(1, 1, [SQUARE], category=5))
    with pytest.raises(InputError, match=r"instances\.json: is not laid out as COCO says"):
        load(root)
    (root / "train/2.png").unlink()
    coco_file = root / "annotations/instances.json"
    coco_file.write_text(coco_file.read_text().replace('"category_id": 5', '"category_id": 1'))
    with pytest.raises(InputError, match=r"image '2\.png' is not there; add it or remove"):
        load(root)
    coco_file.write_text(coco_file.read_text()[:-9])
    with pytest.raises(InputError, match=r"instances\.json: is truncated or not JSON"):
        load(root)


def test_mask_of_another_size_is_named(coco):
    drawn = {"size": [HEIGHT + 1, WIDTH], "counts": [(HEIGHT + 1) * WIDTH]}
    dataset = load(coco(annotation(1, 1, drawn)))
    with pytest.raises(InputError, match="is 24x21 but its image is 24x20; annotate"):
        masks(dataset)


def shape(label, points, kind="polygon", **more):
    return {"label": label, "points": points, "shape_type": kind, **more}


@pytest.fixture
def labelme(tmp_path):
    """Write an image with these shapes, and one where nothing is marked."""

    def labelme(*shapes, stem="1"):
        for number, drawn in ((stem, shapes), ("empty", ())):
            save(tmp_path / f"set/{number}.jpg", noise(3))
            content = {"version": "5.4.1", "shapes": list(drawn), "imagePath": f"{number}.jpg"}
            content["imageData"] = "A" * 3_000_000 if number == "empty" else None
            (tmp_path / f"set/{number}.json").write_text(json.dumps(content))
        return tmp_path / "set"

    return labelme


def text_of(mask):
    stream = io.BytesIO()
    Image.fromarray(255 * mask).save(stream, "png")
    return base64.b64encode(stream.getvalue()).decode()


@pytest.mark.parametrize(
    "drawn",
    [
        shape("lesion", [[4, 3], [12, 3], [12, 9], [4, 9]]),
        shape("lesion", [[4, 3], [12, 9]], "rectangle"),
        shape("lesion", [[4, 3], [12, 9]], "mask", mask=text_of(np.ones((7, 9), np.uint8))),
    ],
)
def test_labelme_shapes_of_every_kind(labelme, drawn):
    dataset = load(labelme(drawn, shape("_background_", [[0, 0], [9, 0], [0, 9]])))
    assert names(dataset) == ["1", "empty"]
    first, second = masks(dataset)
    np.testing.assert_array_equal(first, box(4, 3, 13, 10))
    assert not second.any()


def test_labelme_circle_and_regions(labelme):
    circle = shape("cyst", [[10, 10], [15, 10]], "circle")
    dataset = load(labelme(circle, shape("lesion", [[0, 0], [2, 0], [2, 2]])))
    assert dataset.regions == ("cyst", "lesion")
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    disc = (x - 10) ** 2 + (y - 10) ** 2
    mask = masks(dataset)[0][..., 0]
    assert mask[disc <= 20].all()
    assert not mask[disc > 33].any()


@pytest.mark.parametrize(
    ("drawn", "reason"),
    [
        (shape("lesion", [[1, 1], [2, 2]], "line"), "has a line 'lesion', which has no area"),
        (shape("lesion", [[1, 1], [2, 2]]), "'lesion' has 2 points; draw it again"),
        (shape("lesion", [[1, 1], [2]]), "is not as LabelMe writes"),
        (shape("lesion", [[1, 1]], "mask", mask="!"), "mask of 'lesion' cannot be decoded"),
        ({"label": "lesion"}, "is not as LabelMe writes"),
    ],
)
def test_labelme_file_at_fault_is_named(labelme, drawn, reason):
    root = labelme(drawn)
    with pytest.raises(InputError, match=rf"1\.json: {reason}") as caught:
        load(root)
    assert "\n" not in str(caught.value)
    assert not check(str(root)).ok


def test_labelme_pairs(labelme):
    root = labelme(shape("lesion", [[0, 0], [5, 0], [5, 5]]))
    save(root / "2.jpg", noise(2))
    with pytest.raises(InputError, match=r"2\.jpg: image without mask; add '2\.json'"):
        load(root)
    (root / "2.jpg").unlink()
    (root / "1.jpg").unlink()
    with pytest.raises(InputError, match=r"1\.json: mask without image; add '1\.jpg'"):
        load(root)


def test_annotations_are_part_of_the_fingerprint(labelme):
    before = load(labelme(shape("lesion", [[0, 0], [5, 0], [5, 5]]))).fingerprint()
    assert load(labelme(shape("lesion", [[0, 0], [5, 0], [5, 6]]))).fingerprint() != before


def test_labelme_files_apart_from_their_images(tmp_path):
    content = {"shapes": [shape("lesion", [[0, 0], [5, 0], [5, 5]])], "imageData": None}
    for part in ("a", "b"):
        save(tmp_path / f"set/{part}/1.png", noise(1))
    path = tmp_path / "set/json/1.json"
    path.parent.mkdir()
    path.write_text(json.dumps({**content, "imagePath": "..\\b\\1.png"}))
    assert names(load(tmp_path / "set"))[0] == "b/1"
    path.write_text(json.dumps({**content, "imagePath": "1.png"}))
    with pytest.raises(InputError, match=r"1\.json: may be about .*a/1\.png or .*b/1\.png"):
        load(tmp_path / "set")
