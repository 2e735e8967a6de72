"""Lower bounds on cycles, by hand."""

import numpy as np
import pytest

from tests import fixtures
from tests.fixtures import Draft, one_operator
from tinyseg.profiling.roofline import CORES, PeakRates, bound_cycles
from tinyseg.tflite import Operator, Tensor, TfliteModel
from tinyseg.tflite.ops.registry import cost


def tensor(index, *shape, dtype="int8"):
    empty = np.empty(0)
    return Tensor(index, "", shape, dtype, empty, empty, 0, None)


def operator(opcode, inputs, output):
    return Operator(0, opcode, tuple(inputs), (output,), None, False)


# 4 filters of 3x3x3 at 4x3 places: 1296 MACs. 144 + 108 + 4 * 4 + 48 = 316 bytes.
CONVOLUTION = operator(
    "CONV_2D",
    [tensor(0, 1, 8, 6, 3), tensor(1, 4, 3, 3, 3), tensor(2, 4, dtype="int32")],
    tensor(3, 1, 4, 3, 4),
)
# No MACs; 144 + 3 + 144 = 291 bytes.
ADDITION = operator("ADD", [tensor(0, 1, 8, 6, 3), tensor(1, 3)], tensor(2, 1, 8, 6, 3))


@pytest.mark.parametrize(
    ("core", "convolution", "addition"),
    [
        # 1296 / 2 MACs a cycle; 291 / 4 bytes a cycle, rounded up.
        ("cortex_m4", 648, 73),
        ("cortex_m33", 648, 73),
        ("cortex_m7", 648, 37),
        # 1296 / 8; 291 / 8.
        ("cortex_m55", 162, 37),
    ],
)
def test_bounds_by_hand(core, convolution, addition):
    assert bound_cycles(CONVOLUTION, CORES[core]) == convolution
    assert bound_cycles(ADDITION, CORES[core]) == addition


def test_the_slower_of_computing_and_moving_counts():
    assert bound_cycles(CONVOLUTION, PeakRates("", 1296, 4)) == 79
    assert bound_cycles(CONVOLUTION, PeakRates("", 1296, 1)) == 316
    assert bound_cycles(CONVOLUTION, PeakRates("", 1, 1)) == 1296


def test_wider_elements_move_more_bytes():
    def traffic(dtype):
        shapes = (0, 1, 4), (1, 1, 4)
        both = [tensor(*shape, dtype=dtype) for shape in shapes]
        return bound_cycles(operator("RELU", both[:1], both[1]), PeakRates("", 1, 1))

    assert [traffic(t) for t in ("int8", "int16", "float32", "int64")] == [8, 16, 32, 64]


def test_an_input_read_twice_moves_once():
    data = tensor(0, 1, 4)
    assert bound_cycles(operator("MUL", [data, data], tensor(1, 1, 4)), PeakRates("", 1, 1)) == 8


def test_absent_bias_moves_nothing():
    dense = operator("FULLY_CONNECTED", [tensor(0, 1, 8), tensor(1, 2, 8), None], tensor(2, 1, 2))
    # 8 + 16 + 2 bytes against 16 MACs.
    assert bound_cycles(dense, PeakRates("", 1, 1)) == 26


def test_int4_weights_move_half_a_byte_each():
    weights = Draft([2, 8], "int4", np.zeros(8, np.int8))
    content = one_operator("FULLY_CONNECTED", [Draft([1, 8]), weights], Draft([1, 2]))
    dense = TfliteModel.parse(content).operators[0]
    # 8 + 8 + 2 bytes against 16 MACs.
    assert bound_cycles(dense, PeakRates("", 1, 1)) == 18


def test_ceilings_are_those_of_the_cores():
    """Int8 MACs a cycle: at most two on M4, M33 and M7, eight on M55 (design/PEERS.md)."""
    ceilings = {key: core.macs_per_cycle for key, core in CORES.items()}
    assert ceilings == {"cortex_m4": 2, "cortex_m33": 2, "cortex_m7": 2, "cortex_m55": 8}


def test_no_operator_of_a_network_beats_its_core():
    for op in TfliteModel.parse(fixtures.quantized()).operators:
        for core in CORES.values():
            cycles = bound_cycles(op, core)
            assert type(cycles) is int
            assert cycles >= max(1, cost(op).macs / core.macs_per_cycle)
