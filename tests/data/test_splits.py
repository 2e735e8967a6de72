import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tinyseg.data import duplicates, load
from tinyseg.data.splits import PARTS, Split, make_split, read_split
from tinyseg.data.store import open_store
from tinyseg.errors import InputError
from tinyseg.plan import PreprocessingPlan

FRACTIONS = st.sampled_from(
    [(0.7, 0.15, 0.15), (0.5, 0.25, 0.25), (0.8, 0.2, 0.0), (0.6, 0.0, 0.4)]
)


@st.composite
def data(draw):
    """Names, labels and groups, groups of one label or of several."""
    count = draw(st.integers(3, 60))
    groups = draw(st.lists(st.integers(0, 40), min_size=count, max_size=count))
    labels = draw(st.lists(st.sampled_from("abc"), min_size=count, max_size=count))
    return [f"image {i}" for i in range(count)], labels, groups


def parts(split):
    return [split.train, split.validation, split.test]


def attempt(*arguments, **options):
    """Split, or drop the example if there are too few groups."""
    try:
        return make_split(*arguments, **options)
    except InputError as error:
        assume("would be empty" not in str(error))
        raise


@given(data(), FRACTIONS, st.integers(0, 5))
def test_every_sample_is_placed_once_and_no_group_is_parted(data, fractions, seed):
    names, _, groups = data
    split = attempt(*data, fractions, seed)
    assert sorted([*split.train, *split.validation, *split.test]) == sorted(names)
    group_of = dict(zip(names, groups, strict=True))
    held = [{group_of[name] for name in part} for part in parts(split)]
    assert not held[0] & held[1]
    assert not held[0] & held[2]
    assert not held[1] & held[2]
    for part, share in zip(parts(split), fractions, strict=True):
        assert bool(part) == (share > 0)


@given(data(), st.integers(0, 5))
def test_names_stay_in_the_order_of_the_data(data, seed):
    names = data[0]
    for part in parts(attempt(*data, seed=seed)):
        assert list(part) == [name for name in names if name in part]


@given(data(), st.integers(0, 5))
def test_seed_determines_the_split(data, seed):
    assert attempt(*data, seed=seed) == make_split(*data, seed=seed)


@given(
    st.dictionaries(
        st.sampled_from("abcd"),
        st.lists(st.integers(1, 6), min_size=3, max_size=40),
        min_size=1,
    ),
    FRACTIONS,
    st.integers(0, 5),
)
def test_each_label_has_its_share_in_each_part(sizes, fractions, seed):
    """With groups of one label and at most g images, no part is off by more than 2 g."""
    labels, groups = [], []
    for label, group_sizes in sizes.items():
        for number, size in enumerate(group_sizes):
            labels += [label] * size
            groups += [1000 * ord(label) + number] * size
    names = [str(index) for index in range(len(labels))]
    split = attempt(names, labels, groups, fractions, seed)
    label_of = dict(zip(names, labels, strict=True))
    for part, share in zip(parts(split), fractions, strict=True):
        counts = Counter(label_of[name] for name in part)
        for label, group_sizes in sizes.items():
            largest, total = max(group_sizes), sum(group_sizes)
            # Each group goes where least is filled: so no part can overshoot by a group, and
            # none can lack more than the overshoot of the two others.
            assert counts[label] <= share * total + largest
            assert counts[label] >= share * (total - 2 * largest) - 1e-9


@given(data(), st.integers(2, 5), st.integers(0, 5))
def test_folds_take_turns_and_share_the_test_part(data, folds, seed):
    names, _, groups = data
    splits = [attempt(*data, (0.6, 0.2, 0.2), seed, folds, fold) for fold in range(folds)]
    assert len({split.test for split in splits}) == 1
    taken = [name for split in splits for name in split.validation]
    assert sorted([*taken, *splits[0].test]) == sorted(names)
    final = attempt(*data, (0.6, 0.2, 0.2), seed, folds, -1)
    assert sorted(final.train) == sorted(taken)
    assert not final.validation
    assert final.test == splits[0].test
    group_of = dict(zip(names, groups, strict=True))
    for split in splits:
        held = [{group_of[name] for name in part} for part in parts(split)]
        assert sorted(name for part in parts(split) for name in part) == sorted(names)
        assert not held[0] & held[1]
        assert not held[1] & held[2]
        assert not held[0] & held[2]


def test_folds_are_alike():
    labels = ["a"] * 60 + ["b"] * 30 + ["c"] * 10
    names = [str(index) for index in range(100)]
    for fold in range(5):
        split = make_split(names, labels, range(100), (0.6, 0.2, 0.2), folds=5, fold=fold)
        shares = {"a": 9.6, "b": 4.8, "c": 1.6}
        counts = Counter(labels[int(name)] for name in split.validation)
        assert len(split.test) == 20
        assert all(abs(counts[label] - share) <= 1 for label, share in shares.items())


@pytest.mark.parametrize(("folds", "fold"), [(1, 0), (5, 5), (5, 6), (5, -2), (-2, 0)])
def test_impossible_folds_are_named(folds, fold):
    with pytest.raises(InputError, match=r"data\.folds"):
        make_split(["x", "y"], "ab", [0, 1], folds=folds, fold=fold)


def test_another_seed_gives_another_split():
    names = [str(index) for index in range(40)]
    splits = {make_split(names, ["x"] * 40, range(40), seed=seed) for seed in range(4)}
    assert len(splits) == 4


def test_sizes_of_a_plain_split():
    names = [str(index) for index in range(100)]
    split = make_split(names, ["x"] * 60 + ["y"] * 40, range(100))
    assert [len(part) for part in parts(split)] == [70, 15, 15]


@pytest.mark.parametrize("seed", range(5))
def test_a_large_group_does_not_upset_the_shares(seed):
    names = [str(index) for index in range(100)]
    split = make_split(names, ["x"] * 100, [0] * 60 + list(range(1, 41)), seed=seed)
    assert [len(part) for part in parts(split)] == [70, 15, 15]


@pytest.mark.parametrize(
    "fractions",
    [
        (0.7, 0.3),
        (0.7, 0.2, 0.2),
        (1.2, -0.1, -0.1),
        (float("nan"), 0.5, 0.5),
        (0, 0, 0),
        (),
        (0.25,) * 4,
    ],
)
def test_bad_fractions_are_refused(fractions):
    with pytest.raises(InputError, match=r"data\.fractions: .* three shares that add up to 1"):
        make_split("abcdef", "xxxxxx", range(6), fractions)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_images_are_refused(count):
    with pytest.raises(InputError, match=f"split would be empty: {count} independent images"):
        make_split("abc"[:count], "xyz"[:count], range(count))


def test_a_single_group_of_near_duplicates_is_refused():
    with pytest.raises(InputError, match="1 independent images are too few"):
        make_split("abcdef", "xxxxxx", [5] * 6)


@pytest.mark.parametrize(("labels", "each"), [(100, 1), (6, 2)])
def test_many_rare_labels_can_be_split(labels, each):
    """Subfolders may be patients: then each label has an image or two."""
    count = labels * each
    names = [str(index) for index in range(count)]
    split = make_split(names, [str(index // each) for index in range(count)], range(count))
    assert len(split.train) == pytest.approx(0.7 * count, abs=0.2 * count)
    assert all(parts(split))


def test_written_split_is_read_back(tmp_path):
    names, groups = list("abcdef"), [0, 0, 1, 2, 3, 4]
    split = make_split(names, ["x"] * 6, groups)
    path = split.write(tmp_path / "deep" / "split.json")
    assert set(json.loads(path.read_text())) == set(PARTS)
    assert read_split(path, names, groups) == split


TAMPERED = {
    "unknown name": ({"train": ["a", "b", "z"]}, "'z' is not in the data"),
    "twice": ({"train": ["a", "b"], "test": ["a"]}, "'a' stands in train and test"),
    "twice in a part": ({"train": ["a", "b", "a"]}, "'a' stands in train and train"),
    "parted": ({"train": ["a"], "test": ["b"]}, r"near-duplicates 'a' \(train\) and 'b' \(test\)"),
    "extra key": ({"holdout": ["f"]}, "has the keys train, validation, test and no other"),
}
MALFORMED = {
    "number": {"train": 3},
    "nothing": {"train": None},
    "nested": {"train": [["a"]]},
    "name": {"train": "a"},
    "mapping": {"train": {"a": 1}},
    "number among names": {"train": ["a", 3]},
    "nested among names": {"train": ["a", ["a"]]},
    "number for the second": {"validation": 3},
    "numbers for the last": {"test": ["a", 3]},
}


@pytest.mark.parametrize("case", TAMPERED)
def test_tampered_split_is_refused(tmp_path, case):
    content, reason = TAMPERED[case]
    path = tmp_path / "split.json"
    path.write_text(json.dumps({"train": [], "validation": ["c"], "test": ["d"], **content}))
    with pytest.raises(InputError, match=reason) as caught:
        read_split(path, list("abcdef"), [0, 0, 1, 2, 3, 4])
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "[]", "3", "{", '{"train": [], "test": []}', "\u2028", '"train"']
)
def test_file_that_is_no_split_is_refused(tmp_path, text):
    path = tmp_path / "split.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"split\.json"):
        read_split(path, ["a"], [0])


def test_missing_split_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_split(tmp_path / "absent.json", ["a"], [0])


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_lists_are_refused(tmp_path, case):
    path = tmp_path / "split.json"
    path.write_text(json.dumps({**{part: [] for part in PARTS}, **MALFORMED[case]}))
    (part,) = MALFORMED[case]
    with pytest.raises(InputError, match=rf"split\.json: '{part}' must be a list of names; "):
        read_split(path, ["a"], [0])


def test_split_is_hashable_and_immutable():
    split = Split(("a",), ("b",), ())
    assert split in {split}
    with pytest.raises(AttributeError):
        split.train = ()


@pytest.mark.real_data
@pytest.mark.parametrize("seed", [0, 1])
def test_real_busi_split_keeps_near_duplicates_together(real_data, seed):
    store = open_store(load("busi"), PreprocessingPlan(height=64, width=64, channels=1))
    split = make_split(store.names, store.labels, store.groups(), seed=seed)
    part_of = {name: part for part in PARTS for name in getattr(split, part)}
    assert len(part_of) == 660
    for _, i, j in duplicates.near_duplicates(store.signatures):
        assert part_of[store.names[i]] == part_of[store.names[j]]
    for part, share in zip(PARTS, (0.7, 0.15, 0.15), strict=True):
        labels = Counter(name.split("/")[0] for name in getattr(split, part))
        for label, total in {"benign": 371, "malignant": 176, "normal": 113}.items():
            assert labels[label] == pytest.approx(share * total, abs=3)
    assert np.isclose(len(split.train) / 660, 0.7, atol=0.01)
