import dataclasses

import numpy as np
import pytest

from tests.data.makers import ellipses
from tinyseg.data import augmentation


@pytest.fixture(scope="module", params=["MILD", "WIDE"])
def augmented(request):
    """Ellipses before and after augmentation."""
    images, masks = ellipses(count=64, height=48, width=64, channels=1)
    ranges = getattr(augmentation, request.param)
    return images, masks, *augment(images, masks, 12, ranges)


def augment(images, masks, seed, ranges=augmentation.MILD):
    """Move each image and change its grey levels, as the pipeline does."""
    moved = []
    for number, pair in enumerate(zip(images, masks, strict=True)):
        rng = np.random.default_rng([seed, number])
        image, mask = augmentation.move(*pair, rng, ranges)
        moved.append((augmentation.grey_levels(rng, ranges)[image], mask))
    return tuple(map(np.stack, zip(*moved, strict=True)))


def overlap(first, second):
    """Intersection over union of each pair of masks."""
    both, either = (first & second).sum((1, 2, 3)), (first | second).sum((1, 2, 3))
    return both / either


def test_augmentation_keeps_shapes_and_types(augmented):
    images, masks, new_images, new_masks = augmented
    assert (new_images.shape, new_images.dtype) == (images.shape, np.float32)
    assert (new_masks.shape, new_masks.dtype) == (masks.shape, np.uint8)
    assert set(np.unique(new_masks)) == {0, 1}


def test_augmentation_moves_image_and_mask_together(augmented):
    _, masks, new_images, new_masks = augmented
    # No change of contrast or brightness takes a bright pixel below the middle.
    bright = (new_images > 127).astype(np.uint8)
    assert overlap(bright, new_masks).min() > 0.85
    assert overlap(bright, new_masks).mean() > 0.95
    assert overlap(masks, new_masks).mean() < 0.8


def test_augmentation_changes_each_image_differently():
    images, masks = ellipses(count=1)
    images, masks = np.repeat(images, 8, 0), np.repeat(masks, 8, 0)
    _, moved = augment(images, masks, 0)
    assert len({mask.tobytes() for mask in moved}) == 8


def test_augmentation_flips_sideways_but_never_upside_down():
    ramp = np.broadcast_to(np.arange(0, 240, 4, np.uint8), (64, 60, 60))
    level = np.zeros((64, 60, 60, 1), np.uint8)
    sideways, _ = augment(ramp[..., None], level, 4)
    upright, _ = augment(ramp.transpose(0, 2, 1)[..., None], level, 4)
    flipped = sideways[:, :, :20].mean((1, 2, 3)) > sideways[:, :, 40:].mean((1, 2, 3))
    assert 12 < flipped.sum() < 52
    assert (upright[:, :20].mean((1, 2, 3)) < upright[:, 40:].mean((1, 2, 3))).all()


def test_augmentation_without_lesion_stays_without():
    images, masks = ellipses(count=4)
    _, moved = augment(images, masks * 0, 1)
    assert not moved.any()


def test_augmentation_continues_image_and_mask_beyond_the_border():
    full = np.ones((8, 32, 40, 1), np.uint8)
    images, masks = augment(full * 250, full, 1)
    assert masks.all()
    assert images.min() > 127


def test_bending_and_stretching_are_all_that_a_map_of_none_lacks():
    images, masks = ellipses(count=1)
    ranges = dataclasses.replace(augmentation.WIDE, rotation=0, shift=0, zoom=(1, 1))
    straight = dataclasses.replace(ranges, stretch=0, bend=0)
    pairs = []
    for chosen in (straight, ranges):
        moved = (
            augmentation.move(images[0], masks[0], np.random.default_rng(s), chosen)
            for s in range(12)
        )
        pairs.append([mask.tobytes() for _, mask in moved])
    # Only flips are left of the one.
    assert len(set(pairs[0])) == 2
    assert len(set(pairs[1])) == 12


def test_augmentation_is_mild():
    """Areas change as the zoom allows and centres move as shift and rotation allow."""
    images, masks = ellipses(count=64, height=48, width=64, channels=1)
    _, new_masks = augment(images, masks, 12)
    ratio = new_masks.sum((1, 2, 3)) / masks.sum((1, 2, 3))
    assert ratio.min() > 0.85**2 * 0.75
    assert ratio.max() < 1.2**2 * 1.25
    assert ratio.std() > 0.05
