"""What all tests share."""

import sys

import pytest


@pytest.fixture(autouse=True, scope="module")
def seeded():
    """Random initial weights are the same in every run, where Keras is in use at all."""
    if keras := sys.modules.get("tf_keras"):
        keras.utils.set_random_seed(0)
