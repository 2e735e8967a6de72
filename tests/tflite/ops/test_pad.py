"""Which paddings can be cut into strips, and which rows their strips need."""

import numpy as np
import pytest

from tests.tflite.drafts import File, options
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.ops.registry import rule
from tinyseg.tflite.ops.rows import Margin, Rows

# Two rows below, and three columns, of which one stands on the left.
BELOW = np.array([[0, 0], [0, 2], [1, 2], [0, 0]])


def padding(dtype="int32", computed=False, value=None, margins=BELOW):
    """An operator that pads four rows and columns.

    Args:
        dtype: of the margins.
        computed: whether the margins are an activation.
        value: a third input, which only PADV2 has.
        margins: before and after each axis.
    """
    file = File()
    shape = np.array([1, 4, 4, 2])
    source, target = file.tensor(shape), file.tensor(shape + margins.sum(1))
    last = file.tensor((4, 2), dtype) if computed else file.constant(margins, dtype)
    inputs = [source, last]
    if value is not None:
        inputs.append(file.constant([value]))
    file.operator("PAD", inputs, target, options("Pad"))
    content = file.content([source, *[last] * computed], [target])
    return TfliteModel.parse(content).operators[0]


def test_rows_of_constant_margins():
    how = rule(padding())
    assert how.needs(Rows(2, 6), 4) == (Rows(2, 4), Margin(0, 2, 1, 2))
    assert how.needs(Rows(0, 3), 4) == (Rows(0, 3), Margin(0, 0, 1, 2))


def with_margins(axis, before=0, after=0):
    margins = BELOW.copy()
    margins[axis] = before, after
    return margins


@pytest.mark.parametrize(
    "settings",
    [
        {"dtype": "int64"},
        {"computed": True},
        {"value": 3},
        {"margins": with_margins(0, before=1)},
        {"margins": with_margins(0, after=1)},
        {"margins": with_margins(3, before=1)},
        {"margins": with_margins(3, after=1)},
    ],
    ids=lambda settings: "-".join(settings),
)
def test_paddings_that_cannot_be_cut(settings):
    assert rule(padding(**settings)) is None
