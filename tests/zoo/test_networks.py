"""The contract that every network keeps; what is known of each stands in ``rows.py``."""

import inspect

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from tests import fixtures
from tests.zoo.contract import (
    check_files,
    check_float_file,
    check_on_tflm,
    enliven,
    make,
    pictures,
    plan_for,
    to_integers,
)
from tests.zoo.rows import ROWS
from tinyseg.errors import InputError
from tinyseg.runtime.tflm import TflmRunner
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.ops.registry import supported, total_cost
from tinyseg.zoo import NETWORKS, build, builder
from tinyseg.zoo.figures import COUNTS, describe_network, stored_counts
from tinyseg.zoo.summary import count_macs, summarise_network
from tinyseg.zoo.weights import load_weights, save_weights

TWO_FORMS = [
    name for name in NETWORKS if "deployable" in inspect.signature(builder(name)).parameters
]


def marked(*values, slow, **more):
    """Parameters of one test case, left to the slow tests if so."""
    return pytest.param(*values, marks=pytest.mark.slow if slow else (), **more)


SMALL = [marked(name, slow=row.like) for name, row in ROWS.items()]
LIGHT = [marked(name, slow=row.like or row.heavy) for name, row in ROWS.items()]
VARIANTS = [
    marked(name, size, arguments, slow=row.like, id=f"{name}-{'x'.join(map(str, size))}")
    for name, row in ROWS.items()
    for size, arguments in row.variants
]


def test_every_network_has_a_row():
    assert list(ROWS) == list(NETWORKS)


def test_stored_counts():
    counts = {name: tuple(row[key] for key in COUNTS) for name, row in stored_counts().items()}
    assert counts == {name: row.counts for name, row in ROWS.items()}


@pytest.mark.parametrize("name", LIGHT)
def test_counts(name):
    summary = summarise_network(name)
    counts = (summary["parameters"], summary["trainable_parameters"], summary["macs"])
    assert counts == ROWS[name].counts
    assert tuple(summary["input_shape"]) == NETWORKS[name].input_shape
    assert describe_network(name) == summary


@pytest.mark.parametrize(("name", "size", "arguments"), VARIANTS)
def test_gives_probabilities_and_gradients(name, size, arguments):
    # Which ReLUs of so narrow a network are dead is not to depend on the tests before.
    keras.utils.set_random_seed(1)
    model = make(name, size, **arguments)
    with tf.GradientTape() as tape:
        output = model(pictures(2, size), training=True)
        loss = tf.reduce_mean(tf.square(output - 0.3))
    classes = arguments.get(
        "classes", inspect.signature(builder(name)).parameters["classes"].default
    )
    mask = size[:2] if NETWORKS[name].task == "segmentation" else ()
    assert output.shape == (2, *mask, classes)
    assert output.dtype == tf.float32
    assert float(tf.reduce_min(output)) >= 0
    assert float(tf.reduce_max(output)) <= 1
    if not mask:
        np.testing.assert_allclose(tf.reduce_sum(output, -1), 1, rtol=1e-5)
    gradients = tape.gradient(loss, model.trainable_variables)
    dead = [
        variable.name
        for variable, gradient in zip(model.trainable_variables, gradients, strict=True)
        if gradient is None or not np.any(gradient)
    ]
    assert not dead


@pytest.mark.parametrize("name", LIGHT)
def test_weights_and_whole_models_are_restored(name, tmp_path):
    size, arguments = ROWS[name].variants[-1]
    model, other = (make(name, size, **arguments) for _ in range(2))
    images = pictures(2, size)
    load_weights(other, save_weights(model, tmp_path / "weights.h5"))
    np.testing.assert_array_equal(other(images), model(images))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(again(images), model(images))


@pytest.mark.parametrize("name", SMALL)
def test_files_compute_the_network(name):
    check_files(name, *ROWS[name].variants[0], ROWS[name].recipe)


@pytest.mark.parametrize("name", TWO_FORMS)
def test_both_forms_have_the_same_weights(name):
    size, arguments = ROWS[name].variants[-1]
    assert inspect.signature(builder(name)).parameters["deployable"].default is True
    deployed, published = (
        [
            (weight.name, weight.shape)
            for weight in make(name, size, **arguments, deployable=choice).weights
        ]
        for choice in (True, False)
    )
    assert deployed == published


@pytest.mark.parametrize("name", TWO_FORMS)
def test_registry_says_what_stops_the_published_form(name):
    size, arguments = ROWS[name].variants[-1]
    arguments = {**arguments, "deployable": False}
    plan, model = plan_for(name, size, **arguments), enliven(make(name, size, **arguments))
    images = pictures(4, size)
    check_float_file(model, plan, images)
    file, _ = to_integers(model, plan, images, "static_wi8_ai8")
    stops = set(NETWORKS[name].stopped_by)
    if not stops:
        check_on_tflm(file, images)
        return
    assert {op.opcode for op in file.operators if not supported(op)} <= stops <= set(file.opcodes)
    runner = TflmRunner(file)
    with pytest.raises(InputError, match="TFLM cannot run it"):
        runner.run(runner.input.quantize(images))


@pytest.mark.parametrize("opcode", sorted({op for n in NETWORKS.values() for op in n.stopped_by}))
def test_tflm_refuses_in_int8_what_the_registry_names(opcode):
    draft = fixtures.Draft((1, 8))
    runner = TflmRunner(TfliteModel.parse(fixtures.one_operator(opcode, [draft], draft)))
    with pytest.raises(InputError, match="TFLM cannot run it"):
        runner.run(np.zeros((1, 8), np.int8))


def test_only_networks_with_two_forms_are_stopped():
    assert {name for name, entry in NETWORKS.items() if entry.stopped_by} <= set(TWO_FORMS)


@pytest.mark.parametrize("name", ROWS)
def test_bad_arguments_name_the_cure(name):
    (height, width), cure = ROWS[name].refused
    wide = ROWS[name].width
    good = (128, 128, 3)
    for arguments, shape, message in (
        ({wide: 0}, good, f"{wide} must be at least 1"),
        ({"classes": 0}, good, "classes must be at least"),
        ({"normalize": True}, good, f"no argument 'normalize'; it takes .*{wide}"),
        ({}, (height, width, 3), cure),
        ({}, (128, 128, 0), "at least one channel"),
    ):
        with pytest.raises(InputError, match=f"^{name}: .*{message}"):
            build(name, arguments, shape)


def test_unknown_network_lists_the_known_ones():
    with pytest.raises(InputError, match="attention_unet_ds"):
        build("unet9000", {}, (256, 256, 3))


@pytest.mark.slow
@pytest.mark.parametrize("name", ROWS)
def test_full_width_runs_on_tflm_at_128(name):
    size = (128, 128, NETWORKS[name].input_shape[2])
    model = enliven(make(name, size))
    file, _ = to_integers(model, plan_for(name, size), pictures(4, size), ROWS[name].recipe)
    outputs, arena = check_on_tflm(file, pictures(1, size, seed=2))
    assert total_cost(file).macs == count_macs(model)
    assert np.ptp(outputs) > 0
    print(f"{name}: {len(file.content):,} bytes, tensor arena {arena.total:,} bytes")
