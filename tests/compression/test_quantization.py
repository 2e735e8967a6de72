"""Post-training quantization: graphs, types, calibration."""

from collections import Counter

import numpy as np
import pytest

from tinyseg import plan as plans
from tinyseg.compression import recipe
from tinyseg.compression.quantization import calibration_rows, convert_float, convert_post_training
from tinyseg.errors import InputError
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.ops.registry import total_cost
from tinyseg.zoo import build
from tinyseg.zoo.summary import count_macs

# The seed's graph with a fixed batch and float input and output.
SEED_OPERATORS = {
    "QUANTIZE": 1, "DEPTHWISE_CONV_2D": 30, "CONV_2D": 31, "MAX_POOL_2D": 4, "ADD": 8, "MUL": 8,
    "LOGISTIC": 5, "RESIZE_NEAREST_NEIGHBOR": 4, "TRANSPOSE_CONV": 4, "CONCATENATION": 4,
    "DEQUANTIZE": 1,
}  # fmt: skip


def _network(size, **arguments):
    """A network as training leaves it: no batch normalization is an identity."""
    plan = plans.from_mapping(
        {
            "model": {"name": "attention_unet_ds", "arguments": arguments},
            "preprocessing": {"height": size, "width": size},
        }
    )
    model = build(*plan.network)
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if layer.name.endswith("_norm"):
            layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    images = rng.random((4, size, size, 3)).astype(np.float32)
    return model, plan, images


@pytest.fixture(scope="module")
def small():
    return _network(32, base_width=4, depth=2)


def _file(small, **changes):
    model, plan, images = small
    plan = plans.override(plan, {f"quantization.{k}": v for k, v in changes.items()})
    return TfliteModel.parse(convert_post_training(model, plan, images))


def test_full_size_graph_is_the_seed_s():
    model, plan, images = _network(256)
    for io, expected in (
        ("float32", SEED_OPERATORS),
        ("integer", {k: v for k, v in SEED_OPERATORS.items() if "QUANTIZE" not in k}),
    ):
        changed = plans.override(plan, {"quantization.io": io})
        file = TfliteModel.parse(convert_post_training(model, changed, images[:1]))
        assert Counter(file.opcodes) == expected
        assert len(file.operators) == (100 if io == "float32" else 98)
        assert total_cost(file).macs == 2_874_605_568


@pytest.mark.parametrize(
    ("name", "io", "dtype", "inside"),
    [
        ("static_wi8_ai8", "integer", "int8", "int8"),
        ("static_wi8_ai8", "float32", "float32", "int8"),
        ("static_wi8_ai16", "integer", "int16", "int16"),
        ("static_wi8_ai16", "float32", "float32", "int16"),
    ],
)
def test_types_of_border_and_inside(small, name, io, dtype, inside):
    file = _file(small, recipe=name, io=io)
    assert (file.inputs[0].dtype, file.outputs[0].dtype) == (dtype, dtype)
    assert file.inputs[0].shape == (1, 32, 32, 3)
    for operator in file.operators:
        if "QUANTIZE" not in operator.opcode:
            assert operator.outputs[0].dtype == inside
        if operator.opcode in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            weights = operator.inputs[1]
            assert weights.dtype == "int8"
            assert weights.scales.size == weights.shape[weights.axis] > 0
            assert not weights.zero_points.any()


def test_file_carries_names_and_preprocessing(small):
    file = _file(small)
    assert (file.inputs[0].name, file.outputs[0].name) == ("image", "mask")
    assert file.plan["preprocessing"]["scale"] == pytest.approx(1 / 255)
    assert file.plan["preprocessing"]["threshold"] == 0.5
    assert "TILE" not in file.opcodes


def test_quantization_is_reproducible(small):
    model, plan, images = small
    assert convert_post_training(model, plan, images) == convert_post_training(model, plan, images)


def test_float_conversion_has_the_same_graph(small):
    model, plan, _ = small
    float_file = TfliteModel.parse(convert_float(model, plan))
    assert float_file.opcodes == _file(small).opcodes
    assert total_cost(float_file).macs == count_macs(model)


def test_no_calibration_is_an_error(small):
    model, plan, images = small
    with pytest.raises(InputError, match="needs calibration images"):
        convert_post_training(model, plan, images[:0])


@pytest.mark.parametrize("name", ["int8", "static_wi4_ai8", "qat_wi8_ai16", "STATIC_wi8_ai8"])
def test_unknown_recipe_lists_the_known(name):
    with pytest.raises(InputError, match="static_wi8_ai8, static_wi8_ai16"):
        recipe.parse(name)


def test_unknown_io(small):
    with pytest.raises(InputError, match="uint8"):
        _file(small, io="uint8")


def test_calibration_shows_every_label_and_depends_on_the_seed():
    labels = ["benign"] * 50 + ["malignant"] * 10 + ["normal"] * 2
    rows = calibration_rows(labels, 12, seed=0)
    assert Counter(labels[row] for row in rows) == {"benign": 5, "malignant": 5, "normal": 2}
    assert rows == calibration_rows(labels, 12, seed=0) != calibration_rows(labels, 12, seed=1)
    assert calibration_rows(labels, 500, seed=0) == list(range(62))


def test_calibration_without_a_label_is_an_error():
    with pytest.raises(InputError, match="cannot show all of a, b, c"):
        calibration_rows(["a", "b", "c"], 2, seed=0)
