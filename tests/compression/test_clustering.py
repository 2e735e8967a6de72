"""Weight clustering against SciPy and brute force, and in files of every kind of convolution."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.cluster.vq import kmeans2

from tests import fixtures
from tinyseg.compression.clustering import ClusterQuantizer, check_bits, cluster
from tinyseg.compression.quantization import convert_quantization_aware
from tinyseg.compression.quantization_aware import KernelQuantizer, quantization_aware
from tinyseg.errors import InputError
from tinyseg.runtime.tflite import TfliteRunner
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.packing import pack, packed_bits

L = keras.layers
PLAN = fixtures.plan("qat_wi8_ai8", "integer", 4)
IMAGES = fixtures.pictures(4, size=16)


def error(channel, values):
    """Sum of squares to the nearest value."""
    return np.square(channel[:, None] - values).min(1).sum()


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_clusters_equal_those_of_scipy(bits):
    """Lloyd's algorithm from the same beginning, one channel at a time."""
    channels = np.random.default_rng(bits).normal(size=(5, 200)).astype(np.float32)
    values, members = cluster(channels, bits)
    assert (values.dtype, members.dtype) == (np.float32, np.int32)
    assert values.shape == (5, 2**bits)
    assert members.shape == channels.shape
    for channel, found, member in zip(channels, values, members, strict=True):
        start = np.quantile(channel, (np.arange(2**bits) + 0.5) / 2**bits)
        expected, labels = kmeans2(channel.astype(float), start, iter=30, minit="matrix")
        np.testing.assert_allclose(found, np.sort(expected), atol=1e-5)
        assert (np.argsort(np.argsort(expected))[labels] == member).mean() > 0.99


def test_thirty_rounds_are_made():
    """With many weights the values still move then, a little with every round."""
    channels = np.random.default_rng(9).gumbel(size=(2, 4000)).astype(np.float32)
    values, _ = cluster(channels, 4)
    for channel, found in zip(channels, values, strict=True):
        start = np.quantile(channel, (np.arange(16) + 0.5) / 16)
        by_rounds = [
            kmeans2(channel.astype(float), start, iter=count, minit="matrix")[0]
            for count in (29, 30, 31)
        ]
        off = [np.abs(np.sort(one) - found).max() for one in by_rounds]
        assert off[1] < 1e-4 < 1e-3 < min(off[0], off[2])


@given(
    channels=arrays(np.float32, (3, 9), elements=st.integers(-40, 90).map(lambda x: x / 8)),
    bits=st.integers(2, 4),
)
@settings(max_examples=60)
def test_values_lie_among_the_weights_and_every_weight_has_the_nearest(channels, bits):
    """Values that no weight has do not stray, wherever zero may be."""
    values, members = cluster(channels, bits)
    assert (values >= channels.min(1, keepdims=True) - 1e-5).all()
    assert (values <= channels.max(1, keepdims=True) + 1e-5).all()
    assert (np.diff(values, axis=1) >= 0).all()
    chosen = np.abs(np.take_along_axis(values, members, 1) - channels)
    nearest = np.abs(channels[:, :, None] - values[:, None, :]).min(2)
    np.testing.assert_allclose(chosen, nearest, atol=1e-5)


@pytest.mark.parametrize("shift", [-7, 7])
def test_values_of_no_weight_stay_where_they_were(shift):
    """Between those that others have, not at zero."""
    channels = np.float32([[0, 0, 0, 0, 0, 1, 2, 2, 2]]) + shift
    values, members = cluster(channels, 3)
    np.testing.assert_allclose(np.take_along_axis(values, members, 1), channels, atol=1e-6)
    assert values.min() == shift
    assert values.max() == shift + 2


def best_partition(channel, count):
    """The least error of all ways to cut sorted weights into so many runs."""
    ordered = np.sort(channel)
    cuts = itertools.combinations(range(1, len(ordered)), count - 1)
    return min(
        sum(np.square(run - run.mean()).sum() for run in np.split(ordered, cut)) for cut in cuts
    )


@pytest.mark.parametrize("seed", range(4))
def test_clusters_are_near_the_best_there_are(seed):
    channels = np.random.default_rng(seed).normal(size=(3, 12)).astype(np.float32)
    values, members = cluster(channels, 2)
    for channel, found, member in zip(channels, values, members, strict=True):
        best = best_partition(channel.astype(float), 4)
        assert best - 1e-5 <= error(channel, found) <= 3 * best
        chosen = np.square(found[member] - channel).sum()
        assert chosen == pytest.approx(error(channel, found), rel=1e-4)


def test_separate_groups_are_found():
    rng = np.random.default_rng(0)
    centres = np.array([[-3, -1, 0, 2], [1, 5, 6, 9]], np.float32)
    truth = rng.permuted(np.tile(np.arange(4), (2, 10)), axis=1)
    channels = np.take_along_axis(centres, truth, axis=1) + rng.uniform(-0.1, 0.1, (2, 40))
    values, members = cluster(channels.astype(np.float32), 2)
    np.testing.assert_array_equal(members, truth)
    np.testing.assert_allclose(values, centres, atol=0.1)


def test_few_weights_are_kept():
    """As many clusters as weights, or more; a channel of equal weights."""
    channels = np.array([[0.1, -2, 3, 0.7], [0, 0, 0, 0], [5, 5, -5, 5]], np.float32)
    values, members = cluster(channels, 3)
    np.testing.assert_allclose(np.take_along_axis(values, members, 1), channels, atol=1e-6)
    assert (np.diff(values, axis=1) >= 0).all()
    assert np.isfinite(values).all()


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6, 7, 8])
def test_bits_that_can_be_stored(bits):
    check_bits(bits)


@pytest.mark.parametrize("bits", [-1, 0, 1, 9, 16])
def test_bits_that_cannot(bits):
    message = f"^quantization.weight_bits: {bits} is not 8 .* or 2 to 7$"
    with pytest.raises(InputError, match=message):
        check_bits(bits)
    with pytest.raises(InputError, match=message):
        quantization_aware(network("conv"), IMAGES, weight_bits=bits)


@pytest.mark.parametrize(("kind", "axes"), [("last", 1), ("depthwise", 2), ("tensor", 0)])
def test_gradient_goes_to_the_values(kind, axes):
    kernel = np.random.default_rng(1).normal(size=(3, 3, 4, 2)).astype(np.float32)
    kernel[0, 0, 0, 0] = 0  # As pruned weights are.
    quantizer = ClusterQuantizer(kernel, axes, 2, KernelQuantizer(kind))
    state = quantizer.build(kernel.shape, "kernel", L.Layer())
    latent, weight = tf.Variable(kernel), np.random.default_rng(2).normal(size=kernel.shape)
    with tf.GradientTape() as tape:
        rounded = quantizer(latent, True, state)
        loss = tf.reduce_sum(rounded * weight)
    of_values, of_kernel = tape.gradient(loss, [state["values"], latent])
    assert not np.abs(of_kernel).any()
    trailing = kernel.shape[kernel.ndim - axes :]
    channels = np.prod(trailing, dtype=int)
    flat, upstream = (a.reshape(-1, channels).T for a in (kernel, weight))
    values, members = cluster(flat, 2)
    expected = np.zeros_like(values)
    np.add.at(expected, (np.arange(channels)[:, None], members), upstream)
    np.testing.assert_allclose(of_values, expected, atol=1e-5)
    # Forward: the values of the clusters, rounded to 127ths of the channel's largest.
    clustered = np.take_along_axis(values, members, 1).T.reshape(kernel.shape)
    step = np.abs(clustered).reshape(-1, channels).max(0).reshape(trailing) / 127
    assert (np.abs(rounded - clustered) <= 0.51 * step).all()


def network(kind):
    keras.utils.set_random_seed(3)
    image = keras.Input((16, 16, 3), name="image")
    x = L.Conv2D(8, 3, padding="same", activation="relu", name="first")(image)
    if kind == "depthwise":
        # Large enough that even 7 bits are fewer values than weights.
        x = L.DepthwiseConv2D(12, padding="same", depth_multiplier=2, name="body")(x)
    elif kind == "transposed":
        x = L.Conv2DTranspose(5, 5, 2, padding="same", name="body")(x)
    else:
        x = L.Conv2D(6, 5, padding="same", name="body")(x)
    x = L.Conv2D(1, 1, activation="sigmoid", name="mask")(x)
    return keras.Model(image, x, name="net")


CASES = [
    ("conv", 2), ("conv", 3), ("conv", 4), ("conv", 5), ("conv", 6), ("conv", 7),
    ("depthwise", 2), ("depthwise", 6),
    ("transposed", 2), ("transposed", 4),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "bits"), CASES)
def test_files_have_few_values_a_channel(kind, bits):
    aware = quantization_aware(network(kind), IMAGES, weight_bits=bits)
    model = TfliteModel.parse(convert_quantization_aware(aware, PLAN))
    opcodes = {"conv": "CONV_2D", "depthwise": "DEPTHWISE_CONV_2D", "transposed": "TRANSPOSE_CONV"}
    found = [op for op in model.operators if op.opcode == opcodes[kind]]
    assert found
    for operator in found:
        weights = operator.inputs[1]
        # One scale is one table for what packs the file.
        single = weights.scales.size == 1
        channels = (
            weights.array()[None] if single else np.moveaxis(weights.array(), weights.axis, 0)
        )
        assert max(len(np.unique(channel)) for channel in channels) <= 2**bits
        assert len(np.unique(weights.array())) > 2
    simulated = aware.predict(IMAGES, verbose=0)
    runner = TfliteRunner(model)
    exported = runner.output.dequantize(runner.run(runner.input.quantize(IMAGES)))
    assert np.quantile(np.abs(exported - simulated) * 256, 0.99) <= 3


def test_eight_bits_are_the_plain_network():
    plain, eight = (quantization_aware(network("conv"), IMAGES, *bits) for bits in ((), (8,)))
    np.testing.assert_array_equal(plain(IMAGES), eight(IMAGES))


def test_training_moves_the_values_and_keeps_the_clusters():
    bits = 3
    aware = quantization_aware(network("conv"), IMAGES, weight_bits=bits)
    kernel = next(w for w in aware.get_layer("body").weights if w.name.endswith("kernel:0"))
    values = next(w for w in aware.get_layer("body").weights if "values" in w.name)
    assert values.trainable
    before = kernel.numpy(), values.numpy()
    aware.compile(keras.optimizers.Adam(1e-2), "binary_crossentropy")
    masks = (IMAGES.mean(-1, keepdims=True) > 0.5).astype(np.float32)
    losses = aware.fit(IMAGES, masks, epochs=10, batch_size=2, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    np.testing.assert_array_equal(kernel.numpy(), before[0])
    assert np.abs(values.numpy() - before[1]).max() > 1e-3
    content = convert_quantization_aware(aware, PLAN)
    model = TfliteModel.parse(content)
    weights = next(op.inputs[1] for op in model.operators if op.inputs[1].shape[0] == 6)
    flat, stored = before[0].reshape(-1, 6).T, weights.array().reshape(6, -1)
    _, members = cluster(flat, bits)
    for member, channel in zip(members, stored, strict=True):
        for number in np.unique(member):
            assert len(np.unique(channel[member == number])) == 1
    assert set(packed_bits(TfliteModel.parse(pack(content))).values()) <= {bits}
