"""Weights of few values stay packed in flash: smaller programs, TensorFlow Lite Micro's bytes."""

import contextlib

import numpy as np
import pytest

from tests.tflite.few_values import few_valued, inputs_of, tflm, whole
from tinyseg import boards
from tinyseg.boards import emulator, firmware
from tinyseg.engine.compiled import compiled
from tinyseg.engine.packed_weights import pack_weights
from tinyseg.engine.program import Kernel
from tinyseg.runtime.device import DeviceRunner
from tinyseg.runtime.engine import EngineRunner
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.packing import pack

PACKED = {Kernel.PACKED_CONVOLUTION, Kernel.PACKED_TRANSPOSED}


def kernels(made):
    return [node.kernel for node in made.program.nodes]


def unpack(packed, shape):
    """What a kernel looks up."""
    rows = np.frombuffer(packed.indices, np.uint8).reshape(shape[0], -1)
    count = int(np.prod(shape[1:]))
    digits = np.unpackbits(rows, axis=1, bitorder="little", count=count * packed.bits)
    indices = digits.reshape(shape[0], count, packed.bits) @ (1 << np.arange(packed.bits))
    starts = np.arange(shape[0])[:, None] * packed.table_step
    return np.frombuffer(packed.tables, np.int8)[indices + starts].reshape(shape)


@pytest.mark.parametrize("bits", range(1, 8))
@pytest.mark.parametrize("own", [False, True], ids=["one_table", "table_by_channel"])
def test_weights_come_back(bits, own):
    rng = np.random.default_rng(bits)
    shape = (5, 3, 3, 300)
    tables = np.stack([rng.choice(256, 1 << bits, replace=False) - 128 for _ in range(5)])
    tables = (tables if own else tables[:1].repeat(5, axis=0)).astype(np.int8)
    chosen = rng.integers(1 << bits, size=(5, 3 * 3 * 300))
    kernel = np.take_along_axis(tables, chosen, axis=1).reshape(shape)
    packed = pack_weights(kernel)
    np.testing.assert_array_equal(unpack(packed, shape), kernel)
    assert packed.bits == bits
    assert packed.size < 0.95 * kernel.size
    assert packed.scratch == 2 * 3 * 3 * 300


def test_weights_of_many_values_stay_plain():
    every = np.arange(-128, 128, dtype=np.int8).reshape(1, 256)
    assert pack_weights(every) is None
    # A table each would be larger than what it saves.
    assert pack_weights(np.arange(-64, 64, dtype=np.int8).reshape(8, 16)) is None


@pytest.fixture(scope="module")
def files():
    """A network of 4 distinct weights, plain and packed."""
    return [TfliteModel.parse(content) for content in whole()]


def test_a_packed_file_makes_a_smaller_program(files):
    plain, packed = map(compiled, files)
    assert not PACKED & set(kernels(plain))
    assert set(kernels(packed)) >= PACKED
    assert len(packed.content) < 0.8 * len(plain.content)
    # Two filters at a time are unpacked, of the largest layer.
    most = max(node.scratch for node in packed.program.nodes)
    assert 0 < packed.placement.scratch_bytes == -(-most // 16) * 16
    assert packed.macs == plain.macs


def test_bytes_are_those_of_tflm(files):
    plain, packed = files
    inputs = inputs_of(plain.content, images=2)
    made = EngineRunner(packed).run(inputs)
    np.testing.assert_array_equal(made, tflm(packed.content, inputs))
    assert made.std() > 0


@pytest.mark.parametrize("distinct", [2, 3, 29, 100])
def test_any_number_of_values(distinct):
    content = few_valued(whole()[0], distinct, seed=distinct)
    inputs = inputs_of(content, images=1)
    made = EngineRunner(TfliteModel.parse(pack(content))).run(inputs)
    np.testing.assert_array_equal(made, tflm(content, inputs))


@pytest.mark.arm
@pytest.mark.parametrize("board", ["mps2_an500", "mps3_an547"])
def test_emulated_boards_unpack_them_too(files, board, tmp_path):
    _, packed = files
    inputs = inputs_of(packed.content, images=1)
    with contextlib.chdir(tmp_path):
        made = firmware.make(packed, None, boards.load_board(board))
        with emulator.start(made.board, made.image.elf) as device:
            runner = DeviceRunner(device, packed)
            np.testing.assert_array_equal(runner.run(inputs), tflm(packed.content, inputs))
    assert made.footprint.model < 1.1 * len(packed.content)
