"""What a network says of images, and of their mirror images where the operating point asks.

With the stored outputs a of an image and b of its mirror image, mirrored back, integers become
floor((a + b + 1) / 2) and floats (a + b) / 2. ``firmware/core/mirror.h`` does the same on a board.
"""

from __future__ import annotations

import numpy as np

from tinyseg.errors import InputError
from tinyseg.operating_point import OperatingPoint
from tinyseg.runtime.meaning import Head, Meaning, plain
from tinyseg.runtime.runner import Runner, TensorSpec, stored


def outputs_at(
    point: OperatingPoint, runner: Runner, images: np.ndarray, meaning: Meaning | None = None
) -> np.ndarray:
    """Run a network on images, once or twice each, as an operating point asks.

    Args:
        point: see above.
        runner: the network.
        images: network inputs float32 ``(n, height, width, channels)``.
        meaning: of the output; None for probabilities of regions or classes.

    Returns:
        Real outputs float32 ``(n, ...)``.

    Raises:
        InputError: the output has no mean.
    """
    made = runner.run(stored(runner.input, looks(point, images)))
    return joined(point, runner.output, made, meaning)


def views(point: OperatingPoint) -> int:
    """Return how often a network runs for an image."""
    return 2 if point.mirrored else 1


def looks(point: OperatingPoint, images: np.ndarray) -> np.ndarray:
    """Return images ``(n, h, w, channels)``, each followed by its mirror image if that is seen."""
    if not point.mirrored:
        return images
    return np.stack([images, images[:, :, ::-1]], axis=1).reshape(-1, *images.shape[1:])


def joined(
    point: OperatingPoint, target: TensorSpec, outputs: np.ndarray, meaning: Meaning | None = None
) -> np.ndarray:
    """Return real outputs of images, float32 ``(n, ...)``.

    Args:
        point, meaning: as of :func:`outputs_at`.
        target: the output.
        outputs: stored values of what :func:`looks` returned.

    Raises:
        InputError: the output has no mean.
    """
    if not point.mirrored:
        return target.dequantize(outputs)
    meaning = meaning or plain(target.shape)
    if meaning.head is Head.LABELS:
        raise InputError(
            "preprocessing.mirrored: numbers of classes have no mean; take the output before "
            "ARG_MAX, or mirrored=false"
        )
    return target.dequantize(_mean(outputs[::2], meaning.mirrored(outputs[1::2])))


def _mean(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    if np.issubdtype(one.dtype, np.floating):
        return (one + other) / 2
    return ((one.astype(np.int32) + other + 1) >> 1).astype(one.dtype)
