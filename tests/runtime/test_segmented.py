"""Files with binary convolutions on the host: whole numbers of Python against what it makes."""

import numpy as np
import pytest
import tensorflow as tf
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests import fixtures
from tests.tflite.drafts import File, options
from tinyseg.errors import InputError
from tinyseg.runtime.runner import TensorSpec
from tinyseg.runtime.segmented import SegmentedRunner
from tinyseg.runtime.tflite import TfliteRunner
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.ops.binary_conv_2d import NAME, BinaryConvOptions, pack_filter

SHAPE = (1, 6, 5, 4)
SCALE = 0.5
# With these the output is the sum, and the bias a sum to add, of each channel.
MULTIPLIER, SHIFT, FRACTION = 1 << 30, 11, 1 << 12


def custom(file, name, inputs, output, encoded=b""):
    """Add an operator that is not TensorFlow Lite's own."""
    codes = [code.customCode for code in file.model.operatorCodes]
    if name not in codes:
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
        code.customCode = name
        file.model.operatorCodes.append(code)
        codes.append(name)
    made = schema.OperatorT()
    made.opcodeIndex, made.inputs, made.outputs = codes.index(name), [*inputs], [output]
    if encoded:
        made.customOptions = np.frombuffer(encoded, np.uint8)
    file.graph.operators.append(made)


class Net:
    """A network in two forms: a file, and whole numbers."""

    def __init__(self):
        self.file, self.steps, self.zeros = File(), [], {}

    def tensor(self, zero):
        number = self.file.tensor(SHAPE, scale=SCALE, zero_point=zero)
        self.zeros[number] = zero
        return number

    def add(self, one, other, target):
        """Sums of one scale need no rounding."""
        self.file.operator("ADD", [one, other], target, options("Add"))
        self.steps.append((target, lambda v: v[one] + v[other]))

    def binary(self, source, target, seed):
        rng = np.random.default_rng(seed)
        kernel = rng.standard_normal((3, 2, 4, 4)).astype(np.float32)
        bias = rng.integers(-9, 10, 4)
        to = np.stack([np.full(4, MULTIPLIER), np.full(4, SHIFT), bias * FRACTION], axis=1)
        filters = self.file.constant(pack_filter(kernel), "int32")
        to = self.file.constant(to, "int32")
        encoded = BinaryConvOptions(output_min=-100, output_max=90).encode()
        custom(self.file, NAME, [source, filters, to], target, encoded)

        def step(values):
            signs, weights = (np.where(v >= 0, 1, -1) for v in (values[source], kernel))
            sums = tf.nn.conv2d(signs.astype(float), weights.astype(float), 1, "SAME").numpy()
            zero = self.zeros[target]
            return np.clip(sums.astype(int) + bias, -100 - zero, 90 - zero)

        self.steps.append((target, step))

    def copied(self, source, target):
        """A product with the unit matrix, without a bias: nothing changes."""
        weights = self.file.constant(np.eye(4), scale=1.0)
        kept = options("FullyConnected", keepNumDims=True)
        self.file.operator("FULLY_CONNECTED", [source, weights, -1], target, kept)
        self.steps.append((target, lambda v: v[source]))

    def run(self, image, stored):
        """Return all tensors of an input."""
        values = {image: stored.astype(int) - self.zeros[image]}
        for target, step in self.steps:
            zero = self.zeros[target]
            values[target] = np.clip(step(values), -128 - zero, 127 - zero)
        return values


@pytest.fixture(scope="module")
def net():
    """Two operators of the firmware in a row, one alone; tensors that are read much later.

    Numbers of the tensors are in no order of execution.
    """
    net = Net()
    last, image, late, first = (net.tensor(zero) for zero in (11, -7, 4, -20))
    shifted, sums, one, two, three = (net.tensor(zero) for zero in (30, 0, -3, 9, -40))
    constant = net.file.constant(
        np.random.default_rng(9).integers(-30, 30, SHAPE), scale=SCALE, zero_point=5
    )
    net.zeros[constant] = 5
    values = net.file.model.buffers[-1].data.view(np.int8).reshape(SHAPE).astype(int) - 5
    net.add(image, image, first)
    net.file.operator("ADD", [first, constant], shifted, options("Add"))
    net.steps.append((shifted, lambda v: v[first] + values))
    net.binary(first, one, 1)
    net.binary(one, two, 2)
    net.add(two, shifted, sums)
    net.add(sums, one, late)
    net.binary(late, three, 3)
    copied = net.tensor(17)
    net.copied(three, copied)
    net.add(copied, first, last)
    content = net.file.content([image], [last])
    return net, image, last, TfliteModel.parse(content, "binary.tflite")


@pytest.fixture(scope="module")
def stored():
    return np.random.default_rng(3).integers(-128, 128, (3, *SHAPE[1:]), np.int8)


def test_bytes_are_those_of_whole_numbers(net, stored):
    net, image, last, model = net
    outputs = SegmentedRunner(model).run(stored)
    assert outputs.dtype == np.int8
    assert outputs.shape == stored.shape
    values = net.run(image, stored)
    # ADD of one scale: TensorFlow Lite's fixed point is exact there.
    np.testing.assert_array_equal(outputs, values[last] + net.zeros[last])
    assert all(np.unique(value).size > 5 for value in values.values())


def test_images_do_not_touch_each_other(net, stored):
    runner = SegmentedRunner(net[-1])
    whole = runner.run(stored)
    for row in (2, 0, 1):
        np.testing.assert_array_equal(runner.run(stored[row : row + 1])[0], whole[row])


def test_border_is_that_of_the_file(net):
    runner = SegmentedRunner(net[-1])
    assert runner.input == TensorSpec(SHAPE, "int8", SCALE, -7)
    assert runner.output == TensorSpec(SHAPE, "int8", SCALE, 11)


def test_file_that_begins_and_ends_with_the_operator(stored):
    net = Net()
    image, middle, last = (net.tensor(zero) for zero in (-7, 3, 12))
    net.binary(image, middle, 5)
    net.binary(middle, last, 6)
    model = TfliteModel.parse(net.file.content([image], [last]))
    expected = net.run(image, stored)[last] + 12
    np.testing.assert_array_equal(SegmentedRunner(model).run(stored), expected)


def test_file_without_the_operator(stored):
    net = Net()
    image, last = net.tensor(-7), net.tensor(12)
    net.add(image, image, last)
    model = TfliteModel.parse(net.file.content([image], [last]))
    expected = net.run(image, stored)[last] + 12
    np.testing.assert_array_equal(SegmentedRunner(model).run(stored), expected)


def test_other_custom_operators_are_named():
    net = Net()
    image, one, two, last = (net.tensor(zero) for zero in (-7, 1, 2, 3))
    net.binary(image, one, 5)
    custom(net.file, "Zeta", [one], two)
    custom(net.file, "Alpha", [two], last)
    model = TfliteModel.parse(net.file.content([image], [last]), "strange.tflite")
    with pytest.raises(InputError) as caught:
        SegmentedRunner(model)
    assert str(caught.value) == "strange.tflite: the host has no operator Alpha, Zeta"


def test_other_operators_run_on_reference_kernels():
    """The optimised ones would differ here and there."""
    content = fixtures.quantized()
    inputs = np.random.default_rng(5).integers(-128, 128, (2, 32, 32, 3), np.int8)
    expected = fixtures.reference_outputs(content, inputs)
    np.testing.assert_array_equal(SegmentedRunner(TfliteModel.parse(content)).run(inputs), expected)
    fast = TfliteRunner(TfliteModel.parse(content), reference=False).run(inputs)
    assert (fast != expected).any()
