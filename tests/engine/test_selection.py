"""Which of several kernels a node gets, and that the rules within a kernel cost the least, too."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tinyseg.engine import cost
from tinyseg.engine.compiler import compile_model
from tinyseg.engine.cores import Core
from tinyseg.engine.program import Data, Kernel, Link, Node, Program
from tinyseg.engine.selection import candidates, specialize
from tinyseg.tflite import TfliteModel

MODELS = Path(__file__).parents[2] / "models"
NETWORKS = ["attention_unet_ds_256k/phantom", "attention_unet_ds_mcu/phantom", "lw_unet/busi"]
PRODUCTS = (Kernel.DSP_CONVOLUTION, Kernel.DSP_TRANSPOSED, Kernel.DSP_PACKED_CONVOLUTION)
# Where these have the tiles of a block, and whether weights are doubled rather than inputs.
BLOCK, DOUBLED = 12, 13


def pixels(width=8):
    """A convolution of single pixels from one channel to eight: a table, or a product."""
    facts = Data(np.tile([100, 1 << 30, -7], (8, 1)).astype("<i4").tobytes())
    params = (*(1, 1, 1, 1, 1, 1, 0, 0, -3, 5, -128, 127), Data(bytes(range(8))), facts)
    node = Node(Kernel.CONVOLUTION, (Link(0),), 8, width, 8, params=params)
    return Program((Node(None, (), 8, width, 1), node), 1, (1,))


def kernel(price, core=Core.DSP):
    return specialize(pixels(), core, lambda _program, node, _core: price[node.kernel]).nodes[1]


def test_cheapest_kernel_is_taken():
    for cheap in (Kernel.DSP_PIXEL_TABLE, Kernel.DSP_CONVOLUTION):
        price = {Kernel.DSP_PIXEL_TABLE: 10.0, Kernel.DSP_CONVOLUTION: 10.0}
        assert kernel(price | {cheap: 9.0}).kernel == cheap


def test_first_kernel_is_taken_of_those_that_cost_the_same_or_were_never_measured():
    made = [node.kernel for node in candidates(pixels(), pixels().nodes[1], Core.DSP)]
    assert made == [Kernel.DSP_PIXEL_TABLE, Kernel.DSP_CONVOLUTION]
    assert kernel(dict.fromkeys(made, 1.0)).kernel == made[0]
    assert kernel(dict.fromkeys(made)).kernel == made[0]
    assert kernel({made[0]: None, made[1]: 1e9}).kernel == made[1]


def test_table_of_pixels_is_less_than_vectors_of_one_channel():
    program = pixels(width=72)
    made = candidates(program, program.nodes[1], Core.MVE)
    assert made[0].kernel == Kernel.MVE_CONVOLUTION
    assert specialize(program, Core.MVE).nodes[1].kernel == Kernel.DSP_PIXEL_TABLE


@pytest.mark.parametrize("name", NETWORKS)
def test_forms_of_products_cost_the_least(name):
    """How many tiles make a block, and what is doubled, are rules: the cost model agrees."""
    (path,) = (MODELS / name).glob("*.tflite")
    program = specialize(compile_model(TfliteModel.read(path)), Core.DSP)
    products = [node for node in program.nodes if node.kernel in PRODUCTS]
    assert len(products) > 20
    for node in products:
        block, doubled = node.params[BLOCK], node.params[DOUBLED]
        price = cost.of_row(program, node, Core.DSP)
        for other in ((block, 1 - doubled), (block - 1, doubled), (block - 1, 1 - doubled)):
            if other[0]:
                params = (*node.params[:BLOCK], *other, *node.params[DOUBLED + 1 :])
                changed = dataclasses.replace(node, params=params)
                assert price <= 1.001 * cost.of_row(program, changed, Core.DSP)
