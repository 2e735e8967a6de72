"""What is looked for in the report of a data set."""

import re

import numpy as np
from PIL import Image

RNG = np.random.default_rng(11)
NOISE = RNG.integers(0, 256, (20, 24), np.uint8)
COLOUR = RNG.integers(0, 256, (20, 24, 3), np.uint8)
SHAPE = np.zeros((20, 24), np.uint8)
SHAPE[5:9, 5:12] = 1


def seen(report):
    return [(problem.severity, problem.path.rsplit("/", 1)[-1]) for problem in report.problems]


def matching(report, pattern):
    return [problem for problem in report.problems if re.search(pattern, problem.message)]


def palette(indices, colours):
    image = Image.fromarray(indices).convert("P")
    image.putdata(indices.ravel().tolist())
    image.putpalette(colours)
    return image
