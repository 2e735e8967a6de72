"""Near-duplicates and images of one patient stay together, from pictures to the file of a split."""

import itertools
import json

import cv2
import numpy as np
import pytest

from tinyseg.data import duplicates
from tinyseg.data.dataset import Sample
from tinyseg.data.splits import PARTS, make_split, read_split
from tinyseg.data.store import ImageStore
from tinyseg.errors import InputError

# What belongs together: a chain whose ends differ, a mirror image, three slices of one patient,
# and a patient who stands in the data twice, under two names.
TOGETHER = [
    {"chain 0", "chain 1", "chain 2"},
    {"plain", "mirrored"},
    {"mary/0", "mary/1", "mary/2"},
    {"paul/0", "paul/1", "paul/2", "saul/0", "saul/1", "saul/2"},
]


def smooth(seed):
    """A blurred picture, as no two others are."""
    noise = np.random.default_rng(seed).integers(0, 256, (12, 12), np.uint8)
    return cv2.resize(noise, (64, 64), interpolation=cv2.INTER_CUBIC).astype(float)


@pytest.fixture(scope="module")
def store():
    """The above among twenty others, the members of each far apart, with labels that differ."""
    pictures = {f"other {number}": smooth(number) for number in range(20)}
    for number in range(3):
        # Each resembles the next, the first does not resemble the last.
        pictures[f"chain {number}"] = smooth(50) + 0.17 * number * smooth(51)
        pictures[f"mary/{number}"] = smooth(60 + number)
        pictures[f"paul/{number}"] = smooth(70 + number)
        # Only their middle slices are alike.
        pictures[f"saul/{number}"] = smooth(71 if number == 1 else 80 + number)
    pictures |= {"plain": smooth(90), "mirrored": smooth(90)[:, ::-1]}
    mixed = [list(pictures)[i] for i in np.random.default_rng(0).permutation(len(pictures))]
    # Slices stay in their order, among others.
    slices = iter(sorted(name for name in mixed if "/" in name))
    names = [next(slices) if "/" in name else name for name in mixed]
    samples = tuple(
        Sample(name, "ab"[row // 2 % 2], group=name.split("/")[0] if "/" in name else "")
        for row, name in enumerate(names)
    )
    scaled = [pictures[name] * 200 / pictures[name].max() for name in names]
    signatures = np.stack(
        [duplicates.signature(np.round(each).astype(np.uint8)) for each in scaled]
    )
    empty = np.zeros((len(names), 8, 8, 1), np.uint8)
    return ImageStore(samples, empty, empty, signatures, "")


def test_the_examples_are_as_hard_as_they_are_said_to_be(store):
    row = {name: number for number, name in enumerate(store.names)}
    found = {
        frozenset((store.names[i], store.names[j]))
        for _, i, j in duplicates.near_duplicates(store.signatures)
    }
    expected = [("chain 0", "chain 1"), ("chain 1", "chain 2"), ("plain", "mirrored")]
    assert found == {frozenset(pair) for pair in [*expected, ("paul/1", "saul/1")]}
    assert len({store.labels[row[f"chain {number}"]] for number in range(3)}) == 2
    assert len({row[f"mary/{number}"] - number for number in range(3)}) > 1


def test_groups_are_the_patients_and_near_duplicates(store):
    groups = store.groups()
    found = [
        {name for name, group in zip(store.names, groups, strict=True) if group == number}
        for number in set(groups.tolist())
    ]
    assert sorted(map(sorted, (each for each in found if len(each) > 1))) == sorted(
        map(sorted, TOGETHER)
    )
    assert len(found) == 20 + len(TOGETHER)


@pytest.mark.parametrize(
    "fractions", [(0.5, 0.25, 0.25), (0.4, 0.6, 0.0), (0.4, 0.0, 0.6), (0.0, 0.5, 0.5)]
)
def test_no_two_parts_share_near_duplicates_or_a_patient(store, fractions):
    used = set()
    for seed in range(12):
        split = make_split(store.names, store.labels, store.groups(), fractions, seed)
        part_of = {name: part for part in PARTS for name in getattr(split, part)}
        assert part_of.keys() == set(store.names)
        for together in TOGETHER:
            parts = {part_of[name] for name in together}
            assert len(parts) == 1
            used |= parts
    # They come to lie in every part there is.
    assert used == {part for part, share in zip(PARTS, fractions, strict=True) if share}


@pytest.mark.parametrize("fold", [0, 1, 2, -1])
def test_no_fold_parts_near_duplicates_or_a_patient(store, fold):
    for seed in range(8):
        split = make_split(
            store.names, store.labels, store.groups(), (0.5, 0.25, 0.25), seed, 3, fold
        )
        for together in TOGETHER:
            assert sum(bool(together & set(getattr(split, part))) for part in PARTS) == 1


@pytest.mark.parametrize(("part", "other"), list(itertools.permutations(PARTS, 2)))
@pytest.mark.parametrize("group", [0, 7])
def test_file_that_parts_near_duplicates_is_refused(tmp_path, part, other, group):
    """Whichever two parts it is, and whether or not a third one lies with the first."""
    content = {name: {part: ["d", "a"], other: ["b", "e"]}.get(name, ["c"]) for name in PARTS}
    path = tmp_path / "split.json"
    path.write_text(json.dumps(content))
    # Sound as long as a and b are not alike.
    assert read_split(path, "abcde", [group, 1, 2, group, 3]).train == tuple(content["train"])
    first, second = sorted([("a", part), ("b", other)], key=lambda each: PARTS.index(each[1]))
    reason = rf"near-duplicates '(d|{first[0]})' \({first[1]}\) and '{second[0]}' \({second[1]}\)"
    with pytest.raises(InputError, match=reason) as caught:
        read_split(path, "abcde", [group, group, 2, 5, 3])
    assert str(caught.value).startswith(f"{path}: ")
    with pytest.raises(InputError, match="near-duplicates"):
        read_split(path, "abcde", [group, group, 2, group, 3])


@pytest.mark.parametrize(("part", "other"), list(itertools.permutations(PARTS, 2)))
def test_file_that_names_a_sample_twice_is_refused(tmp_path, part, other):
    path = tmp_path / "split.json"
    path.write_text(json.dumps({**{name: [] for name in PARTS}, part: ["a", "b"], other: ["b"]}))
    first, second = sorted([part, other], key=PARTS.index)
    with pytest.raises(InputError, match=f"'b' stands in {first} and {second}; keep it in one"):
        read_split(path, "ab", [0, 1])


def test_split_is_read_as_it_stands(tmp_path):
    """In the file's order; what it leaves out is in no part."""
    path = tmp_path / "split.json"
    path.write_text(json.dumps({"train": ["d", "a"], "validation": ["c", "f"], "test": ["b"]}))
    split = read_split(path, "abcdef", [4, 1, 0, 4, 2, 0])
    assert (split.train, split.validation, split.test) == (("d", "a"), ("c", "f"), ("b",))


def test_written_file_has_each_part_under_its_name(tmp_path):
    split = make_split("abcd", "xxxx", range(4), (0.5, 0.25, 0.25))
    content = json.loads(split.write(tmp_path / "split.json").read_text())
    assert content == {part: list(getattr(split, part)) for part in PARTS}
    assert [len(content[part]) for part in PARTS] == [2, 1, 1]


# Where groups are all of different sizes, chance decides nothing and the result can be worked out
# with pencil and paper: the largest first, each to the part that lacks most, relative to its share.


def placed(groups, shares, **options):
    """Split groups, given as strings of their members' labels; return each part's groups."""
    labels = "".join(groups)
    numbers = [number for number, members in enumerate(groups) for _ in members]
    names = [f"{number}.{index}" for index, number in enumerate(numbers)]
    results = set()
    for seed in range(5):
        split = make_split(names, labels, numbers, shares, seed, **options)
        results.add(
            tuple(
                "".join(sorted({name.split(".")[0] for name in getattr(split, part)}))
                for part in PARTS
            )
        )
    assert len(results) == 1
    return results.pop()


def test_groups_go_where_most_is_lacking():
    """8, 4 and 4 are wanted: 6 | 4 | 3, then 2 to the first by its size in all, 1 to the last."""
    groups = ["x" * size for size in (2, 6, 3, 1, 4)]
    assert placed(groups, (0.5, 0.25, 0.25)) == ("01", "4", "23")
    # Of 4, 8 and 4: 6 to the first, for all lack everything; 4 | 3; 2 and 1 to the second.
    assert placed(groups, (0.25, 0.5, 0.25)) == ("1", "034", "2")


def test_groups_of_several_labels_go_where_most_of_theirs_is_lacking():
    """Of 7 a and 8 b each half wants 3.5 and 4.

    aaaab fills the first; bbbb the second, which lacks all; for aab the first lacks no a more;
    bb then finds three b lacking in the first and none in the second, a the other way round.
    """
    groups = ["aaaab", "bbbb", "aab", "bb", "a"]
    assert placed(groups, (0.5, 0.5, 0.0)) == ("03", "124", "")
    assert placed(groups, (0.0, 0.5, 0.5)) == ("", "03", "124")
    assert placed(groups, (0.5, 0.0, 0.5)) == ("03", "", "124")


def test_every_label_of_a_group_counts_as_placed():
    """The five b that came with an a are what the first part wants no more b for.

    Or else bbb would go to it, as the emptier one of 6 against 5 and 4.
    """
    groups = ["abbbbb", "aaaaa", "cccc", "bbb"]
    assert placed(groups, (0.5, 0.5, 0.0)) == ("0", "123", "")


def test_labels_of_a_group_count_as_often_as_they_occur():
    """Four a and four b are wanted in each half. Before aaab the first lacks all a and has two b
    too many, the second has an a too many and lacks all b: the three a outweigh the b.
    """
    groups = ["bbbbbb", "aaaaa", "aaab", "b"]
    assert placed(groups, (0.5, 0.5, 0.0)) == ("02", "13", "")


def test_all_labels_of_a_group_count_not_only_its_first():
    """For its a alone abbb would go to the first part, which has a b too many."""
    groups = ["bbbbbb", "aaaaa", "abbb", "b"]
    assert placed(groups, (0.5, 0.5, 0.0)) == ("0", "123", "")


def test_a_small_lack_outweighs_the_size_of_a_part():
    """Five x are wanted in each half: the last goes where four are, though that holds 12 in all."""
    groups = ["yyyyyyyy", "xxxxx", "xxxx", "x"]
    assert placed(groups, (0.5, 0.5, 0.0)) == ("023", "1", "")


def test_a_label_too_rare_for_a_share_has_no_part_of_its_own():
    """Half an r is wanted in the second and third part, one in the first: all lack all of it."""
    groups = ["xxxx", "rr", "x"]
    assert placed(groups, (0.5, 0.25, 0.25)) == ("0", "1", "2")


def test_ties_go_to_the_part_that_is_emptiest_relative_to_its_share():
    """For the last y, the second part has enough: of 3.25 the first holds 7, of 0.8125 the third 2.

    Shares are sums of powers of 2, so that ties are exact.
    """
    groups = ["xxxxxxx", "yyy", "zz", "y"]
    assert placed(groups, (0.25, 0.6875, 0.0625)) == ("03", "1", "2")


@pytest.mark.parametrize("shares", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0.5, 0.5, 0), (0, 0.5, 0.5)])
def test_parts_without_share_stay_empty_and_nothing_is_divided_by_them(shares):
    names = [str(number) for number in range(12)]
    with np.errstate(all="raise"):
        split = make_split(names, "aaabbbaaabbb", [0, 0, 1, 1, 1, 2, 3, 4, 4, 5, 6, 7], shares)
    sizes = [len(getattr(split, part)) for part in PARTS]
    assert sum(sizes) == 12
    assert [size > 0 for size in sizes] == [share > 0 for share in shares]


@pytest.mark.parametrize(("fold", "train", "validation"), [(0, 4, 6), (1, 6, 4), (-1, 10, 0)])
def test_folds_divide_what_is_not_test(fold, train, validation):
    """Of 12, a sixth is for the test; 6 and 4 remain whole."""
    split = make_split(
        [f"{i:02}" for i in range(12)], "x" * 12, [0] * 6 + [1] * 4 + [2] * 2,
        (0.5, 1 / 3, 1 / 6), folds=2, fold=fold,
    )  # fmt: skip
    assert [len(split.train), len(split.validation), len(split.test)] == [train, validation, 2]
    assert split.test == ("10", "11")


def test_which_part_would_be_empty_is_named():
    with pytest.raises(InputError, match=r"^fold 2 split would be empty: 2 independent images"):
        make_split("abcd", "xxxx", [0, 0, 1, 1], (1, 0, 0), folds=3)
    with pytest.raises(InputError, match=r"^test split would be empty: 2 independent images"):
        make_split("abcd", "xxxx", [0, 0, 1, 1], (0.4, 0.3, 0.3), folds=2)
    with pytest.raises(InputError, match=r"^validation split would be empty: 1 independent"):
        make_split("ab", "xx", [3, 3], (0.5, 0.5, 0))


def test_two_folds_and_the_last_of_several_will_do():
    names = [f"{i:02}" for i in range(10)]
    for folds in (2, 5):
        last = make_split(names, "x" * 10, range(10), (1, 0, 0), folds=folds, fold=folds - 1)
        assert len(last.validation) == 10 // folds
        assert sorted((*last.train, *last.validation)) == names


def test_shares_that_add_up_but_for_rounding_will_do():
    split = make_split("abcdef", "x" * 6, range(6), (1 / 3 + 1e-12, 1 / 3, 1 / 3))
    assert [len(split.train), len(split.validation), len(split.test)] == [2, 2, 2]
    default = make_split([f"{i:02}" for i in range(40)], "x" * 40, range(40))
    assert [len(default.train), len(default.validation), len(default.test)] == [28, 6, 6]


def test_default_seed_is_0_and_no_folds():
    names = [f"{i:02}" for i in range(40)]
    assert make_split(names, "x" * 40, range(40)) == make_split(
        names, "x" * 40, range(40), (0.7, 0.15, 0.15), 0, 0, 0
    )
    assert make_split(names, "x" * 40, range(40), folds=3) == make_split(
        names, "x" * 40, range(40), folds=3, fold=0
    )
