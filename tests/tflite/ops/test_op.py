"""The facts of an operator, and what follows from them."""

from tinyseg.tflite.ops.op import Op, family
from tinyseg.tflite.ops.registry import OPS


def test_places_of_inputs_by_their_roles():
    op = Op("X", inputs=("shape", "weights", "data"))
    assert (op.weights, op.data) == (1, 2)
    assert (Op("X").weights, Op("X").data) == (None, 0)
    assert (Op("X", inputs=()).weights, Op("X", inputs=()).data) == (None, 0)


def test_family_shares_its_facts():
    first, second = family("A B", types=("int8",), in_place=True)
    assert (first.name, second.name) == ("A", "B")
    assert first.types == second.types == ("int8",)
    assert second.in_place


def test_convolutions():
    assert {name for name, op in OPS.items() if op.convolves} == {
        "CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"
    }  # fmt: skip


def test_weights_that_may_be_stored_packed():
    assert {name for name, op in OPS.items() if op.weights is not None} == {
        "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"
    }  # fmt: skip
    assert not any(op.decodes for op in OPS.values())
