"""What a network takes if it is executed region by region."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tinyseg.tflite.arena.tail import operator_overhead
from tinyseg.tflite.ops.registry import cost
from tinyseg.tflite.patching.unroll import StripNetwork, StripPiece, StripRegion, StripStep

_OPCODES = {"slice": "SLICE", "pad": "PAD", "concat": "CONCATENATION"}
# Regions of so many strips are measured whole, not estimated from a few.
_FEW = 4


class RegionCost(NamedTuple):
    """What a region takes.

    Attributes:
        live: bytes of pieces made here that are alive at each step, stored ones not counted.
        reads: last step that reads each stored tensor.
        macs: multiply-accumulates.
        overhead: bytes of the arena's tail that the operators take.
    """

    live: np.ndarray
    reads: dict[int, int]
    macs: int
    overhead: int


class StripSchedule(NamedTuple):
    """A whole network in regions.

    Attributes:
        regions: in order; the last one's sink is the output.
        head: bytes of activations that are alive at the worst step.
        overhead: bytes of the arena's tail that the operators take.
        macs: multiply-accumulates.
    """

    regions: tuple[StripRegion, ...]
    head: int
    overhead: int
    macs: int

    @property
    def arena(self) -> int:
        """Estimated bytes of the arena."""
        return self.head + self.overhead


class Assessor:
    """Measures what schedules of a network take; remembers the regions that it has measured.

    Args:
        network: to be scheduled.
        count_overhead: whether operators take bytes of the arena's tail, as in TFLM.
    """

    def __init__(self, network: StripNetwork, *, count_overhead: bool = True) -> None:
        self.network, self._counted = network, count_overhead
        # Of one row, so that strips of any height are quickly added up.
        self._macs = {
            op.index: cost(op).macs / network.height(op.outputs[0].index)
            for op in network.model.operators
        }
        self._effort = functools.cache(self._measure)
        self._sketch = functools.cache(self._estimate)

    def assess(self, regions: Sequence[StripRegion], *, exact: bool = True) -> StripSchedule:
        """Return what a network in regions takes.

        Args:
            regions: in order.
            exact: False to estimate regions of many strips from a few of them.
        """
        model, sizes = self.network.model, self.network.bytes
        efforts = [self._effort(r) if exact else self._sketch(r) for r in regions]
        ends: dict[int, int] = {}
        for number, effort in enumerate(efforts):
            ends |= dict.fromkeys(effort.reads, number)
        ends[model.outputs[0].index] = len(regions)
        made = {model.inputs[0].index: -1}
        for number, region in enumerate(regions):
            made |= dict.fromkeys(region.sinks, number)
        peak = 0
        for number, effort in enumerate(efforts):
            live = effort.live.copy()
            for tensor, birth in made.items():
                if birth < number <= ends.get(tensor, -1):
                    stop = effort.reads[tensor] + 1 if ends[tensor] == number else len(live)
                    live[:stop] += sizes[tensor]
            peak = max(peak, int(live.max()))
        overhead = sum(effort.overhead for effort in efforts)
        return StripSchedule(tuple(regions), peak, overhead, sum(effort.macs for effort in efforts))

    def _measure(self, region: StripRegion) -> RegionCost:
        steps = self.network.unroll(region)
        live, reads = self._lifetimes(steps, {self.network.whole(sink) for sink in region.sinks})
        return RegionCost(live, reads, self._total_macs(steps), self._overhead(steps))

    def _estimate(self, region: StripRegion) -> RegionCost:
        """Estimate a region from its first, a middle and its last strip."""
        if region.strips <= _FEW:
            return self._effort(region)
        lives, macs, overhead, base = [], 0, 0, 0
        reads: dict[int, int] = {}
        sinks = sum(self.network.bytes[sink] for sink in region.sinks)
        between = region.strips // 2
        for strip, times in ((0, 1), (between, region.strips - 2), (region.strips - 1, 1)):
            steps, made = self.network.strip(region, strip)
            live, read = self._lifetimes(steps, set(made))
            lives.append(live + sinks * strip // region.strips)
            reads |= {tensor: base + number for tensor, number in read.items()}
            base += len(steps)
            macs += times * self._total_macs(steps)
            overhead += times * self._overhead(steps)
        # At the end all strips are there, and the tensor that they become.
        lives.append(np.array([2 * sinks]))
        return RegionCost(np.concatenate(lives), reads, macs, overhead)

    def _lifetimes(
        self, steps: list[StripStep], kept: set[StripPiece]
    ) -> tuple[np.ndarray, dict[int, int]]:
        """Return live bytes at each step, and the last step that reads each stored tensor."""
        last = {source: number for number, step in enumerate(steps) for source in step.inputs}
        first = {step.output: number for number, step in enumerate(steps)}
        changes = [0] * (len(steps) + 1)
        for made, number in first.items():
            size = self.network.size(made)
            changes[number] += size
            changes[len(steps) if made in kept else last.get(made, number) + 1] -= size
        reads = {source.tensor: number for source, number in last.items() if source not in first}
        return np.cumsum(changes[:-1]), reads

    def _total_macs(self, steps: list[StripStep]) -> int:
        return round(
            sum(
                self._macs[step.operator.index] * step.output.rows.height
                for step in steps
                if step.operator is not None
            )
        )

    def _overhead(self, steps: list[StripStep]) -> int:
        if not self._counted:
            return 0
        return sum(
            _overhead_of(_OPCODES[step.kind], 0)
            if step.operator is None
            else _overhead_of(step.operator.opcode, step.operator.outputs[0].shape[-1])
            for step in steps
        )


@functools.cache
def _overhead_of(opcode: str, channels: int) -> int:
    return operator_overhead(opcode, channels)
