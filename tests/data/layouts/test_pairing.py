from pathlib import Path

from tinyseg.data.layouts.pairing import collect, pair


def paths(*names):
    return [Path("set") / name for name in names]


def test_files_are_indexed_by_key_and_second_ones_named():
    a_png, b_png, a_jpg, a_bmp, skipped = paths("a.png", "b.png", "a.jpg", "a.bmp", "_x.png")
    found, problems = collect(
        [a_png, b_png, skipped, a_jpg, a_bmp],
        lambda path: None if path.stem.startswith("_") else path.stem,
    )
    assert found == {"a": a_png, "b": b_png}
    assert problems == [
        "set/a.jpg: same name as a.png; rename or remove one of them",
        "set/a.bmp: same name as a.png; rename or remove one of them",
    ]


def test_one_file_met_twice_is_no_problem():
    (path,) = paths("a.png")
    assert collect([path, path], lambda path: path.stem) == ({"a": path}, [])


def test_empty_keys_are_keys():
    first, second = paths("a", "b")
    found, problems = collect([first, second], lambda _: "")
    assert found == {"": first}
    assert len(problems) == 1


def test_pairs_come_in_natural_order_with_their_own_files():
    names = ("im10", "im2", "im1")
    images = {name: Path(f"i/{name}.png") for name in names}
    masks = {name: Path(f"m/{name}.tif") for name in reversed(names)}
    samples, problems = pair(images, masks, "_mask.tif")
    assert problems == []
    assert [(s.name, s.label, s.image, s.masks, s.group) for s in samples] == [
        (name, "", Path(f"i/{name}.png"), (Path(f"m/{name}.tif"),), "")
        for name in ("im1", "im2", "im10")
    ]


def test_each_file_without_partner_is_named_with_the_cure():
    images = {"a": Path("i/a.png"), "c": Path("i/c.png"), "e": Path("i/e.png")}
    masks = {"b": Path("m/b.tif"), "c": Path("m/c.tif"), "d": Path("m/d.tif")}
    samples, problems = pair(images, masks, "_mask.tif")
    assert [sample.name for sample in samples] == ["c"]
    assert problems == [
        "i/a.png: image without mask; add 'a_mask.tif' or remove it",
        "m/b.tif: mask without image; add the image or remove it",
        "m/d.tif: mask without image; add the image or remove it",
        "i/e.png: image without mask; add 'e_mask.tif' or remove it",
    ]
