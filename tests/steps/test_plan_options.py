"""Every option of data, preprocessing, network and quantization changes what it says it changes."""

import dataclasses
from unittest import mock

import numpy as np
import pytest
import tf_keras as keras

from tests import fixtures
from tests.steps.test_fit_budgets import wide_in_the_middle
from tinyseg import plan as plans
from tinyseg.compression.quantization import convert_post_training
from tinyseg.errors import InputError
from tinyseg.scoring.scores import decide, score_outputs
from tinyseg.steps import distill
from tinyseg.steps.convert import lowered, to_integers, train_simulation
from tinyseg.steps.evaluate import score
from tinyseg.steps.images import divide_images
from tinyseg.steps.networks import equalized
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.arena.memory import predict_arena
from tinyseg.tflite.packing import unpacked
from tinyseg.zoo import build

pytestmark = pytest.mark.usefixtures("own_cache")

SOURCE = "phantom:count=20,size=48"


@pytest.fixture(scope="module")
def plan():
    """Every size another number, so that none can stand for another."""
    return plans.from_mapping(
        {
            "model": {"name": "unet", "arguments": {"base_width": 2, "depth": 1}},
            "data": {"source": SOURCE, "fractions": [0.5, 0.2, 0.3]},
            "preprocessing": {"height": 16, "width": 24, "channels": 1},
            "quantization": {"calibration_images": 4},
        }
    )


def changed(plan, **options):
    return plans.override(plan, {name.replace("__", "."): v for name, v in options.items()})


def split_of(plan):
    return divide_images(plan)[1].split


def sizes(split):
    return len(split.train), len(split.validation), len(split.test)


def test_options_of_the_data(plan):
    split = split_of(plan)
    assert sizes(split) == pytest.approx((10, 4, 6), abs=1)
    others = [
        split_of(changed(plan, data__split_seed=1)),
        split_of(changed(plan, data__fractions=(0.3, 0.5, 0.2))),
        split_of(changed(plan, data__source=SOURCE + ",seed=4")),
    ]
    assert len({split, *others}) >= 3
    assert others[0] != split
    assert sizes(others[1]) == pytest.approx((6, 10, 4), abs=1)
    fingerprints = {divide_images(p)[0].data.fingerprint
                    for p in (plan, changed(plan, data__source=SOURCE + ",seed=4"))}  # fmt: skip
    assert len(fingerprints) == 2
    # Every fold is for validation once; all share what is for test.
    folds = [split_of(changed(plan, data__folds=4, data__fold=fold)) for fold in range(4)]
    assert {fold.test for fold in folds} == {folds[0].test}
    seen = [name for fold in folds for name in fold.validation]
    assert len(seen) == len(set(seen)) == 20 - len(folds[0].test)
    final = split_of(changed(plan, data__folds=4, data__fold=-1))
    assert (final.validation, final.test) == ((), folds[0].test)


def test_options_of_preprocessing(plan):
    _, images = divide_images(plan)
    assert images.store.images.shape == (20, 16, 24, 1)
    assert images.store.masks.shape == (20, 16, 24, 1)
    for name, value, shape in (
        ("height", 32, (20, 32, 24, 1)),
        ("width", 8, (20, 16, 8, 1)),
        ("channels", 3, (20, 16, 24, 3)),
    ):
        other = changed(plan, **{f"preprocessing__{name}": value})
        assert divide_images(other)[1].store.images.shape == shape
        assert build(*other.network).input_shape[1:] == shape[1:]
    pixels = images.store.images.astype(np.float64)
    for scale, offset in ((1 / 255, 0.0), (1 / 128, -1.0), (1.0, 3.0)):
        other = changed(plan, preprocessing__scale=scale, preprocessing__offset=offset)
        made = images.store.inputs(other.preprocessing)
        np.testing.assert_allclose(made, pixels * scale + offset, rtol=1e-6, atol=1e-6)


class Constant:
    """A network that gives probabilities from 0 to 1 from left to right."""

    kernels = "constant"

    def __init__(self):
        from tinyseg.runtime.runner import TensorSpec

        self.input, self.output = (TensorSpec((1, 16, 24, 1), "float32") for _ in range(2))

    def run(self, inputs):
        row = np.linspace(0, 1, 24, dtype=np.float32)[:, None]
        return np.broadcast_to(row, (len(inputs), 16, 24, 1))


def test_threshold_decides(plan):
    _, images = divide_images(plan)
    outputs = Constant().run(images.store.images)
    for threshold, columns in ((0.3, 17), (0.5, 12), (0.9, 3)):
        other = changed(plan, preprocessing__threshold=threshold)
        scores, masks = score(Constant(), images.store, other.preprocessing)
        assert scores.pop("kernels") == "constant"
        np.testing.assert_array_equal(masks, decide(outputs, threshold))
        assert masks.sum() == 20 * 16 * columns
        assert scores == score_outputs(images.store, masks.astype(np.float32), 0.5)


def test_options_of_the_network(plan):
    parameters = build(*plan.network).count_params()
    for options in ({"base_width": 4, "depth": 1}, {"base_width": 2, "depth": 2}):
        other = changed(plan, model__arguments=options)
        assert build(*other.network).count_params() > parameters
    assert build(*changed(plan, model__name="lw_unet").network).name != "unet"


@pytest.fixture(scope="module")
def network(plan):
    keras.utils.set_random_seed(0)
    return build(*plan.network)


@pytest.fixture(scope="module")
def images(plan):
    return divide_images(plan)[1]


@pytest.fixture(scope="module")
def convert(network, plan, images):
    """The file of a changed plan; the same one only once."""
    made = {}

    def run(**options):
        key = tuple(options.items())
        if key not in made:
            other = changed(plan, **{f"quantization__{k}": v for k, v in options.items()})
            content, aware = to_integers(network, other, images.calibration(other))
            made[key] = TfliteModel.parse(content), aware
        return made[key]

    return run


def dtypes(model):
    return {t.dtype for op in model.operators for t in op.outputs}


def test_recipe_and_types(convert):
    plain, aware = convert()
    assert aware is None
    assert (dtypes(plain), plain.inputs[0].dtype, plain.outputs[0].dtype) == (
        {"int8"}, "int8", "int8",
    )  # fmt: skip
    wide, _ = convert(recipe="static_wi8_ai16")
    assert (dtypes(wide), wide.inputs[0].dtype) == ({"int16"}, "int16")
    floats, _ = convert(io="float32")
    assert floats.inputs[0].dtype == floats.outputs[0].dtype == "float32"
    assert "int8" in dtypes(floats)


def weights(model):
    for operator in unpacked(model).operators:
        if operator.opcode == "CONV_2D":
            yield operator.inputs[1].array()


def test_bits_of_the_weights(convert):
    for bits in (2, 3):
        model, aware = convert(weight_bits=bits)
        assert aware is not None
        counts = [len(np.unique(c)) for kernel in weights(model) for c in kernel]
        assert 2 ** (bits - 1) < max(counts) <= 2**bits
    plain, _ = convert()
    assert max(len(np.unique(c)) for kernel in weights(plain) for c in kernel) > 8


def test_lowering(plan, convert):
    """As it was converted, with passes that keep the bytes, or in strips too."""
    needs = {}
    # The second one has nothing to gain but by strips; looking for them in the first takes long.
    for content, ways in (
        (fixtures.quantized(), ("none", "exact")),
        (wide_in_the_middle().content, ("exact", "patches")),
    ):
        for how in ways:
            made = lowered(content, changed(plan, quantization__lower=how))
            assert (made == content) is (how == ways[0])
            needs[how] = predict_arena(TfliteModel.parse(made)).needed
        assert needs[ways[1]] < needs[ways[0]]
    with pytest.raises(InputError, match=r"quantization\.lower: 'all' is unknown"):
        convert(lower="all")


def test_lowered_file_keeps_the_types_that_the_plan_asks_for(plan):
    content = fixtures.quantized(io="float32")
    for io, dtype in (("float32", "float32"), ("integer", "int8")):
        other = changed(plan, quantization__lower="exact", quantization__io=io)
        made = TfliteModel.parse(lowered(content, other))
        assert made.inputs[0].dtype == made.outputs[0].dtype == dtype


def test_calibration_images_and_seed_choose_the_representative_data(plan, images):
    training = images.part("train").inputs(plan.preprocessing)
    chosen = {}
    for count, seed in ((4, 0), (4, 1), (7, 0), (1000, 0)):
        other = changed(plan, quantization__calibration_images=count, seed=seed)
        made = chosen[count, seed] = images.calibration(other)
        assert len(made) == min(count, len(training))
        for image in made:
            assert any(np.array_equal(image, one) for one in training)
    assert not np.array_equal(chosen[4, 0], chosen[4, 1])


def test_equalization(network, plan, images):
    assert equalized(network, plan, images) is network
    other = changed(plan, quantization__equalize=True)
    equal = equalized(network, other, images)
    inputs = images.store.inputs(plan.preprocessing)[:3]
    assert equal is not network
    pairs = zip(equal.get_weights(), network.get_weights(), strict=True)
    assert any((one != other).any() for one, other in pairs)
    np.testing.assert_allclose(equal(inputs), network(inputs), atol=1e-5)


def test_quantization_aware_training_has_settings_of_its_own(network, plan, images, tmp_path):
    other = changed(
        plan, quantization__epochs=3, quantization__learning_rate=2e-5, training__epochs=50,
        training__learning_rate=0.5, training__warmup_epochs=2.0, training__batch_size=5,
    )  # fmt: skip
    with mock.patch.object(distill, "learn_masks") as learn:
        train_simulation(network, other, images, tmp_path)
    aware, teachers, given, training, validation, folder = learn.call_args.args
    assert (aware, teachers, folder) == (network, [], tmp_path)
    expected = dataclasses.replace(
        other.training, epochs=3, patience=3, learning_rate=2e-5, warmup_epochs=0.0
    )
    assert given == dataclasses.replace(other, training=expected)
    assert training.names == list(images.split.train)
    assert validation.names == list(images.split.validation)


def test_training_of_the_simulation_is_asked_for_by_the_recipe_alone(network, plan, images):
    calls = []
    for recipe, bits, times in (("qat_wi8_ai8", 8, 1), ("static_wi8_ai8", 3, 0)):
        calls.clear()
        other = changed(plan, quantization__recipe=recipe, quantization__weight_bits=bits)
        calibration = images.calibration(other)
        _, aware = to_integers(network, other, calibration, calls.append)
        assert len(calls) == times
        assert all(one is aware for one in calls)


def test_file_without_a_simulation_is_the_converted_network(network, plan, images, convert):
    assert convert()[0].content == convert_post_training(network, plan, images.calibration(plan))
