"""Which layers of an encoder learn, and how fast."""

import numpy as np
import pytest
import tf_keras as keras

from tests.training.runs import parts_of, plan_of
from tinyseg import plan as plans
from tinyseg.errors import InputError
from tinyseg.training.divergence import SteadyAdam
from tinyseg.training.loop import new_network, train_network
from tinyseg.training.stages import freeze, rates, stages


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYSEG_CACHE", str(tmp_path / "cache"))


def encoder_plan(**training):
    changes = {"model.name": "encoder_unet", "model.arguments": {"decoder_width": 2}}
    changes |= {"preprocessing.height": 16, "preprocessing.width": 32}
    return plans.override(plan_of(epochs=1, **training), changes)


def changed(before, model):
    """Names of the layers that have other weights than before."""
    return {
        layer.name
        for layer in model.layers
        if any((a != b).any() for a, b in zip(before[layer.name], layer.get_weights(), strict=True))
    }


def test_frozen_stages_and_norms_stay_as_they_are(tmp_path):
    plan = encoder_plan(frozen_stages=2, frozen_norms=True)
    model = new_network(plan)
    before = {layer.name: layer.get_weights() for layer in model.layers}
    # The loop's own images are of another size.
    training, validation = parts_of(plan_of())
    pad = ((0, 0), (0, 0), (0, 8), (0, 0))
    parts = [
        part.__class__(
            part.samples, np.pad(part.images, pad), np.pad(part.masks, pad), part.signatures, ""
        )
        for part in (training, validation)
    ]
    train_network(model, plan, *parts, tmp_path / "run")
    names = changed(before, model)
    assert not [name for name in names if name.startswith(("encoder1", "encoder2"))]
    assert not [name for name in names if name.endswith("norm") and not name.startswith("decoder")]
    assert {"encoder3_block4_pointwise", "bottleneck_block7_pointwise", "mask"} <= names
    assert "decoder1_pointwise_norm" in names


def test_rates_fall_towards_the_image():
    plan = encoder_plan(stage_rate=0.5)
    model = new_network(plan)
    found = {layer.name: rate for layer, rate in rates(model, plan.training)}
    assert found["bottleneck_block7_pointwise"] == 0.5
    assert found["encoder3_block4_depthwise_norm"] == 0.25
    assert found["encoder1_stem"] == 0.0625
    assert not [name for name in found if name.startswith(("decoder", "mask"))]
    assert rates(model, encoder_plan().training) == []
    assert set(stages(model).values()) == {1, 2, 3, 4}


def test_a_layer_with_a_share_of_the_rate_takes_a_share_of_the_step():
    layers = [keras.layers.Dense(2, use_bias=False) for _ in range(2)]
    keras.Sequential([keras.layers.Input((2,)), *layers])
    optimizer = SteadyAdam(0.1, rates=[(layers[0], 0.25)])
    before = [layer.get_weights()[0] for layer in layers]
    gradients = [np.ones((2, 2), np.float32)] * 2
    weights = [layer.kernel for layer in layers]
    optimizer.apply_gradients(zip(gradients, weights, strict=True))
    steps = [old - new.numpy() for old, new in zip(before, weights, strict=True)]
    np.testing.assert_allclose(steps[1], 0.1, rtol=1e-4)
    np.testing.assert_allclose(steps[0], 0.025, rtol=1e-4)


@pytest.mark.parametrize("settings", [{"frozen_stages": 5}, {"frozen_norms": True}])
def test_networks_without_such_stages_are_refused(settings):
    plan = encoder_plan(**settings)
    model = new_network(plan) if "frozen_stages" in settings else keras.Sequential(name="plain")
    with pytest.raises(InputError, match=r"its encoder has [04] stages"):
        freeze(model, plan.training)
