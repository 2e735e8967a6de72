"""Outputs of every kind, as masks and classes."""

import numpy as np
import pytest
from scipy import special

from tinyseg.decision import decide
from tinyseg.operating_point import OperatingPoint
from tinyseg.runtime.meaning import Head, MapLayout, Meaning, enlarge, plain

RNG = np.random.default_rng(5)
LOGITS = RNG.normal(0, 2, (2, 4, 6, 3)).astype(np.float32)
MAP = MapLayout(4, 6, 3)


def test_probabilities_stay_as_they_are():
    values = RNG.random((2, 4, 6, 3), np.float32)
    found = Meaning(Head.SIGMOID, MAP).regions_of(values)
    np.testing.assert_array_equal(found, values)
    np.testing.assert_array_equal(plain(values.shape).regions_of(values), values)


@pytest.mark.parametrize(
    ("order", "layout"),
    [
        ((0, 1, 2, 3), MAP),
        ((0, 3, 1, 2), MapLayout(4, 6, 3, first=True)),
    ],
)
def test_layouts(order, layout):
    stored = LOGITS.transpose(order)
    for shape in (stored.shape, (2, -1)):
        found = Meaning(Head.SIGMOID, layout).regions_of(stored.reshape(shape))
        np.testing.assert_array_equal(found, LOGITS)


def test_logits_become_probabilities():
    found = Meaning(Head.LOGITS, MAP).regions_of(LOGITS)
    np.testing.assert_allclose(found, special.expit(LOGITS), rtol=1e-5)


def test_the_background_of_two_classes_is_no_region():
    meaning = Meaning(Head.SOFTMAX_LOGITS, MapLayout(4, 6, 2), classes=2)
    found = meaning.regions_of(LOGITS[..., :2])
    expected = special.softmax(LOGITS[..., :2], -1)[..., 1:]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert (meaning.regions, meaning.by_threshold) == (1, True)


@pytest.mark.parametrize("head", [Head.SOFTMAX, Head.SOFTMAX_LOGITS, Head.LABELS])
def test_the_likeliest_of_several_classes_decides(head):
    likeliest = LOGITS.argmax(-1)
    values = {
        Head.SOFTMAX: special.softmax(LOGITS, -1),
        Head.SOFTMAX_LOGITS: LOGITS,
        Head.LABELS: likeliest,
    }[head]
    layout = MapLayout(4, 6, 1) if head is Head.LABELS else MAP
    meaning = Meaning(head, layout, classes=3)
    marked = meaning.regions_of(values) > 0.5
    np.testing.assert_array_equal(marked[..., 0], likeliest == 1)
    np.testing.assert_array_equal(marked[..., 1], likeliest == 2)
    assert (meaning.regions, meaning.by_threshold) == (2, False)


def test_images_with_a_region_for_each_class_have_no_background():
    meaning = Meaning(Head.SOFTMAX, MAP, classes=3)
    assert meaning.marking(3).regions == 3
    assert meaning.marking(2).regions == 2
    marked = meaning.marking(3).regions_of(special.softmax(LOGITS, -1)) > 0.5
    np.testing.assert_array_equal(marked.argmax(-1), LOGITS.argmax(-1))
    assert Meaning(Head.LABELS, MapLayout(4, 6, 1)).marking(4).classes == 5


def test_one_probability_of_an_image_is_two_classes():
    found = Meaning(Head.CLASSES, classes=2).probabilities(np.array([[0.25], [0.75]]))
    np.testing.assert_allclose(found, [[0.75, 0.25], [0.25, 0.75]])


def test_scores_of_classes_become_probabilities():
    scores = LOGITS[0, 0] * 4
    found = Meaning(Head.CLASSES, classes=3).probabilities(scores)
    np.testing.assert_allclose(found, special.softmax(scores, -1), rtol=1e-5)


def test_the_class_of_an_image_by_its_number():
    found = Meaning(Head.LABELS, classes=3).regions_of(np.array([[2], [0]]))
    np.testing.assert_array_equal(found, [[0, 0, 1], [1, 0, 0]])


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.9])
def test_a_single_value_tells_foreground_where_one_does(threshold):
    for head in (Head.SIGMOID, Head.LOGITS):
        meaning = Meaning(head, MAP)
        values = LOGITS if head is Head.LOGITS else special.expit(LOGITS)
        marked = meaning.regions_of(values) > threshold
        np.testing.assert_array_equal(values > meaning.bound(threshold), marked)
    assert Meaning(Head.LABELS, MapLayout(4, 6, 1), classes=2).bound(threshold) == 0.5
    assert Meaning(Head.NONE).bound(threshold) is None


def bilinear(channel, size):
    """Interpolation between the centres of pixels, beyond which the edge goes on."""
    places = [
        np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
        for new, old in zip(size, channel.shape, strict=True)
    ]
    rows = np.array([np.interp(places[0], range(len(c)), c) for c in channel.T]).T
    return np.array([np.interp(places[1], range(len(r)), r) for r in rows])


def test_probabilities_are_enlarged_before_they_decide():
    maps = RNG.random((4, 6, 3), np.float32)
    found = enlarge(maps, (13, 18))
    expected = np.stack([bilinear(maps[..., n], (13, 18)) for n in range(3)], -1)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    marked = Meaning(Head.SOFTMAX, MAP, classes=3).regions_of(maps[None], (13, 18))[0] > 0.5
    sure = np.ptp(np.sort(expected, -1)[..., 1:], axis=-1) > 1e-4
    np.testing.assert_array_equal(marked[..., 1][sure], (expected.argmax(-1) == 2)[sure])


def test_shrinking_takes_the_mean_of_areas():
    maps = RNG.random((4, 6, 2), np.float32)
    expected = maps.reshape(2, 2, 3, 2, 2).mean((1, 3))
    np.testing.assert_allclose(enlarge(maps, (2, 3)), expected, rtol=1e-5)


POINT = OperatingPoint(blank_below=0.4, share=0.1, relative=0.8, smallest=2, largest_only=True)


def test_masks_at_an_operating_point_are_those_of_the_probabilities():
    values = np.random.default_rng(2).random((3, *MAP[:3])).astype(np.float32)
    meaning = Meaning(Head.SIGMOID, MAP)
    expected = decide(values, POINT)
    np.testing.assert_array_equal(meaning.masks(values, POINT), expected)
    np.testing.assert_array_equal(meaning.masks(values, POINT, MAP[:2]), expected)
    logits = np.log(values) - np.log1p(-values)
    found = Meaning(Head.LOGITS, MAP).masks(logits, POINT)
    assert (found == expected).mean() > 0.99


def test_a_threshold_decides_on_stretched_probabilities():
    values = np.random.default_rng(3).random((2, *MAP[:3])).astype(np.float32)
    meaning, size = Meaning(Head.SIGMOID, MAP), (9, 13)
    found = meaning.masks(values, OperatingPoint(threshold=0.4), size)
    np.testing.assert_array_equal(found, meaning.regions_of(values, size) > 0.4)


def test_what_the_point_leaves_out_stays_out_of_a_stretched_mask():
    """The peak is that of the network's map, and so are its parts."""
    values = np.zeros((2, 12, 16, 1), np.float32)
    values[:, 2:6, 2:7] = 0.6
    values[:, 9:11, 12:14] = 0.9
    values[1] *= 0.5
    meaning, size = Meaning(Head.SIGMOID, MapLayout(12, 16, 1)), (48, 64)
    point = OperatingPoint(share=2 / 192, blank_below=0.5, largest_only=True)
    found = meaning.masks(values, point, size)
    assert found[0, 10:22, 10:26].all()
    assert not found[0, 32:, 40:].any()
    assert not found[1].any()
    # As if the small part had not been there.
    alone = values[:1].copy()
    alone[:, 8:] = 0
    plain = meaning.masks(alone, OperatingPoint(), size)
    np.testing.assert_array_equal(found[0], plain[0])
