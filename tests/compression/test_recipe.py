"""Names of recipes: what they mean, and what is said to those that mean nothing."""

import pytest

from tinyseg.compression.recipe import RECIPES, Recipe, parse
from tinyseg.errors import InputError


@pytest.mark.parametrize(
    ("name", "method", "weights", "activations", "drop"),
    [
        ("static_wi8_ai8", "static", 8, 8, 0.01),
        ("static_wi8_ai16", "static", 8, 16, 0.01),
        ("qat_wi8_ai8", "qat", 8, 8, 0.005),
    ],
)
def test_names_say_what_is_done(name, method, weights, activations, drop):
    recipe = parse(name)
    assert recipe == Recipe(method, weights, activations)
    assert (recipe.method, recipe.weight_bits) == (method, weights)
    assert recipe.activation_bits == activations
    assert recipe.max_drop == drop


def test_nothing_else_is_offered():
    assert list(RECIPES) == ["static_wi8_ai8", "static_wi8_ai16", "qat_wi8_ai8"]


@pytest.mark.parametrize("name", ["", "int8", "static_wi8", "STATIC_wi8_ai8", "xstatic_wi8_ai8 "])
def test_names_of_another_form(name):
    with pytest.raises(InputError) as error:
        parse(name)
    assert str(error.value) == (
        f"recipe '{name}' is not of the form static_wi8_ai8; choose from static_wi8_ai8, "
        "static_wi8_ai16, qat_wi8_ai8"
    )


@pytest.mark.parametrize("name", ["static_wi4_ai8", "qat_wi8_ai16", "dynamic_wi8_ai8"])
def test_recipes_that_are_not_offered(name):
    with pytest.raises(InputError) as error:
        parse(name)
    assert str(error.value) == (
        f"recipe '{name}' is not available; choose from static_wi8_ai8, static_wi8_ai16, "
        "qat_wi8_ai8"
    )
