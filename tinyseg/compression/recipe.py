"""Names of quantization recipes, in the grammar of ai-edge-quantizer."""

from __future__ import annotations

import re
from typing import NamedTuple

from tinyseg.errors import InputError

_GRAMMAR = re.compile(r"(?P<method>[a-z]+)_wi(?P<weights>\d+)_ai(?P<activations>\d+)")


class Recipe(NamedTuple):
    """A parsed recipe name such as ``static_wi8_ai8``.

    Attributes:
        method: ``static`` is calibration after training, ``qat`` training that goes on with the
            rounding in place.
        weight_bits: bits of the integer weights, symmetric and per channel.
        activation_bits: bits of the integer activations: 8 asymmetric, 16 symmetric.
    """

    method: str
    weight_bits: int
    activation_bits: int

    @property
    def max_drop(self) -> float:
        """The most by which mean Dice may fall from float to integer, unless another is given."""
        return 0.005 if self.method == "qat" else 0.01


RECIPES = {
    "static_wi8_ai8": Recipe("static", 8, 8),
    "static_wi8_ai16": Recipe("static", 8, 16),
    "qat_wi8_ai8": Recipe("qat", 8, 8),
}


def parse(name: str) -> Recipe:
    """Return the recipe of that name.

    Raises:
        InputError: not a recipe, or one that is not offered.
    """
    known = ", ".join(RECIPES)
    if not _GRAMMAR.fullmatch(name):
        raise InputError(f"recipe '{name}' is not of the form static_wi8_ai8; choose from {known}")
    if name not in RECIPES:
        raise InputError(f"recipe '{name}' is not available; choose from {known}")
    return RECIPES[name]
