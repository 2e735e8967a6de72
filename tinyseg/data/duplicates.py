"""Find images that show (nearly) the same thing, so that a split can keep them together."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

SIDE = 64
THRESHOLD = 0.98
_BLOCK = 2048


def signature(image: np.ndarray) -> np.ndarray:
    """Reduce an image to a unit vector; equal pictures have a dot product of 1.

    Args:
        image: uint8 ``(height, width)`` or ``(height, width, channels)``, three of them being RGB.

    Returns:
        float32 vector of 64 x 64 grey values with zero mean and unit length; zeros for a
        uniform image, which correlates with nothing.
    """
    if image.ndim == 3:
        colour = image.shape[-1] == 3
        image = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if colour else image.mean(-1, np.float32)
    small = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    centred = small - small.mean()
    length = np.linalg.norm(centred)
    return (centred / length if length > 1e-3 else np.zeros_like(centred)).ravel()


def outline(mask: np.ndarray) -> np.ndarray:
    """Reduce a mask to the share of foreground in 64 x 64 places.

    Args:
        mask: 0 and 1, or bool, ``(height, width)``.

    Returns:
        float16 vector of 4096 shares, of the places of :func:`signature`.
    """
    size = (SIDE, SIDE)
    small = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return small.ravel().astype(np.float16)


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Return the Dice of two outlines, as they are or mirrored, whichever is more; 1 of none."""
    one, two = (np.asarray(each, np.float32).reshape(SIDE, SIDE) for each in (first, second))
    total = float(one.sum() + two.sum())
    if total == 0:
        return 1.0
    common = max(float(np.minimum(one, other).sum()) for other in (two, two[:, ::-1]))
    return 2 * common / total


def near_duplicates(
    signatures: np.ndarray, threshold: float = THRESHOLD
) -> list[tuple[float, int, int]]:
    """List the pairs of images whose correlation exceeds a threshold, mirror images included.

    Args:
        signatures: float32 ``(images, 4096)`` from :func:`signature`.
        threshold: Pearson correlation of the 64 x 64 reductions above which two images
            count as near-duplicates.

    Returns:
        ``(correlation, i, j)`` with ``i < j``, highest correlation first.
    """
    mirrored = signatures.reshape(-1, SIDE, SIDE)[:, :, ::-1].reshape(signatures.shape)
    pairs = []
    for start in range(0, len(signatures), _BLOCK):
        block = signatures[start : start + _BLOCK]
        correlation = np.maximum(block @ signatures.T, block @ mirrored.T)
        rows, columns = np.nonzero(correlation > threshold)
        for row, j in zip(rows, columns, strict=True):
            if start + row < j:
                pairs.append((float(correlation[row, j]), int(start + row), int(j)))
    # The last digits of a correlation depend on the block that it was computed in; pairs that
    # differ in no others stay in the order of the images.
    return sorted(pairs, key=lambda pair: -round(pair[0], 5))


def groups(count: int, pairs: Sequence[tuple[float, int, int]]) -> np.ndarray:
    """Number the connected components that near-duplicate pairs form.

    Args:
        count: number of images.
        pairs: from :func:`near_duplicates`.

    Returns:
        int array ``(count,)``; images with equal numbers belong together.
    """
    first = [i for _, i, _ in pairs]
    second = [j for _, _, j in pairs]
    graph = coo_array((np.ones(len(pairs), bool), (first, second)), shape=(count, count))
    return connected_components(graph, directed=False)[1]
