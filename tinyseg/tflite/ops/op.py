"""The facts of an operator, in one object."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from tinyseg.tflite.nodes import Operator
from tinyseg.tflite.ops.checks import Check
from tinyseg.tflite.ops.cost import Cost, free
from tinyseg.tflite.ops.memory import Memory
from tinyseg.tflite.ops.rows import RowRule
from tinyseg.tflite.ops.scales import FREE, Scales

# Element types of activations that kernels of TensorFlow Lite Micro may take.
INT8, INT16, INT32, INT64, FLOAT32, BOOL = "int8", "int16", "int32", "int64", "float32", "bool"
UINT8, UINT32 = "uint8", "uint32"


@dataclasses.dataclass(frozen=True)
class Op:
    """What is known of an operator.

    Attributes:
        name: builtin name such as ``ADD``, or a custom operator's own.
        inputs: roles of the inputs that it cannot do without, in order.
        options: the schema's table of its options; None if no pass reads or makes them.
        cost: gives the work of one use.
        tflm: whether the interpreter of TensorFlow Lite Micro (TFLM) has a kernel.
        types: element types of the activations that this kernel takes; None if it takes any, or
            nobody has looked.
        results: element types of the output that it can make, or those by the type of the
            activations; None where the output has that very type, or any.
        int32: roles of the inputs that it takes as int32 alone: axes, sizes, indices.
        instead: what to do where a kernel is missing.
        differs: what is known of results that differ between TFLite's reference kernel and TFLM.
        rounds_once: whether TFLite's reference kernel rounds an int8 result once and TFLM twice, so
            that a last place now and then differs.
        in_place: whether it may write its result over an input of the same size: each element
            only depends on those at its place.
        memory: what TFLM's kernel allocates; None if that is no more than its node.
        counted: whether that was looked up; if not, it may be more.
        rows: gives the rule by which a row of its output needs rows of its inputs, None where
            one use cannot be cut into strips; itself None if no use can.
        padding: whether its options choose SAME or VALID padding.
        image_size: of an operator with a constant that holds its output's height and width: the
            number of that input, and where in it the height stands.
        quantization: how the scales of its int8 tensors hang together.
        checks: what lint holds each use against, besides what holds for all operators.
        method: of TFLM's resolver, that registers it; None for its name in camel case.
        int8_kernel: whether TFLM has a kernel for int8 alone, which takes less flash.
        registration: the whole call that registers an operator of our own firmware, None for
            those of TFLM.
    """

    name: str
    inputs: tuple[str, ...] = ("data",)
    options: str | None = None
    cost: Callable[[Operator], Cost] = free
    tflm: bool = True
    types: tuple[str, ...] | None = None
    results: tuple[str, ...] | Mapping[str, tuple[str, ...]] | None = None
    int32: tuple[str, ...] = ()
    instead: str = "replace the layer"
    differs: str = ""
    rounds_once: bool = False
    in_place: bool = False
    memory: Memory | None = None
    counted: bool = True
    rows: Callable[[Operator], RowRule | None] | None = None
    padding: bool = False
    image_size: tuple[int, int] | None = None
    quantization: Scales = FREE
    checks: tuple[Check, ...] = ()
    method: str | None = None
    int8_kernel: bool = False
    registration: str | None = None

    @property
    def weights(self) -> int | None:
        """Number of the input that holds the weights, which may be stored packed; None without."""
        return self.inputs.index("weights") if "weights" in self.inputs else None

    @property
    def decodes(self) -> bool:
        """Whether it turns packed weights into plain ones; see ``packing.py``."""
        return "encoded" in self.inputs

    @property
    def convolves(self) -> bool:
        """Whether it moves a kernel of weights over an image."""
        return self.padding and self.weights is not None

    @property
    def data(self) -> int:
        """Number of the input that holds the activations."""
        return self.inputs.index("data") if "data" in self.inputs else 0


def family(names: str, **facts: Any) -> tuple[Op, ...]:
    """Return operators of which the same is known.

    Args:
        names: separated by spaces.
        facts: fields of :class:`Op`.
    """
    return tuple(Op(name, **facts) for name in names.split())
