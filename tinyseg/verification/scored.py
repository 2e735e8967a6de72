"""A network's outputs as the images ask for them."""

from __future__ import annotations

import numpy as np

from tinyseg.data.store import ImageStore
from tinyseg.runtime.meaning import Meaning


def deciding(meaning: Meaning, outputs: np.ndarray, images: ImageStore) -> np.ndarray:
    """Return what of a network's outputs decides on images, at the size of their masks.

    Args:
        meaning: of the outputs.
        outputs: real values float32 ``(n, ...)``.
        images: with masks or classes.

    Returns:
        float32, see :meth:`tinyseg.runtime.meaning.Meaning.regions_of`.
    """
    if images.classes or meaning.layout is None:
        return meaning.regions_of(outputs)
    return meaning.marking(images.masks.shape[-1]).regions_of(outputs, images.masks.shape[1:3])


def mismatch(meaning: Meaning, images: ImageStore) -> str | None:
    """Return why a network cannot be scored on images, None if it can."""
    if meaning.task != images.task:
        return f"its output is {meaning}, the images are for {images.task}"
    wanted = images.targets.shape[-1]
    if meaning.task == "classification":
        given, what = meaning.classes, "classes"
    else:
        given, what = meaning.marking(wanted).regions, "regions"
    if given == wanted:
        return None
    return f"it has {given} {what}, the images {wanted}; give images of as many with --data"
