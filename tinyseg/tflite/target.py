"""Builds of TensorFlow Lite Micro whose tensor arena can be predicted."""

from __future__ import annotations

import dataclasses

from tinyseg.errors import InputError


@dataclasses.dataclass(frozen=True)
class Target:
    """A build of TFLM.

    Attributes:
        name: ``host``, ``cortex_m`` or ``cortex_m55``.
        pointer: bytes of a pointer.
        cmsis: whether convolutions and their like are CMSIS-NN's instead of the reference's.
        mve: whether the core has M-profile vector extensions.
        start: bytes that the interpreter takes before it looks at the model: its allocators,
            the planner, the allocator of options (``micro_allocator.cc``).
        subgraph, eval_tensor, node, tensor, quantization: bytes of ``SubgraphAllocations``,
            ``TfLiteEvalTensor``, ``NodeAndRegistration``, ``TfLiteTensor`` and
            ``TfLiteAffineQuantization``.
        request, allocation: bytes of ``ScratchBufferRequest`` and ``AllocationInfo``, which are
            needed only while the arena is planned.
    """

    name: str
    pointer: int
    cmsis: bool
    mve: bool
    start: tuple[int, ...]
    subgraph: int
    eval_tensor: int
    node: int
    tensor: int
    quantization: int
    request: int
    allocation: int

    @property
    def wide(self) -> bool:
        """Whether pointers take 64 bits."""
        return self.pointer == 8


_CORTEX_M = Target("cortex_m", 4, True, False, (36, 44, 36, 8), 8, 12, 32, 32, 12, 12, 24)
# The interpreter on the host records its allocations and is built with TFLM_COMPRESSION, which
# makes some of its objects larger.
TARGETS = {
    "host": Target("host", 8, False, False, (104, 72, 272, 16), 24, 24, 64, 64, 24, 16, 32),
    "cortex_m": _CORTEX_M,
    "cortex_m55": dataclasses.replace(_CORTEX_M, name="cortex_m55", mve=True),
}


def target_of(name: str) -> Target:
    """Return a target by name.

    Raises:
        InputError: there is none of this name.
    """
    if name not in TARGETS:
        raise InputError(f"{name}: no such memory target; choose one of {', '.join(TARGETS)}")
    return TARGETS[name]
