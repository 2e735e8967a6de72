"""Find the schedule with the smallest arena.

A schedule is made of cuts: tensors that are computed one after the other and stored. Between
two cuts a region of the network runs in strips or as a whole. Of what earlier regions have
computed, tensors up to a size limit are kept for later ones; larger ones are computed again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from tinyseg.tflite.model import TfliteModel
from tinyseg.tflite.nodes import Operator
from tinyseg.tflite.ops.rows import activations
from tinyseg.tflite.patching.schedule import Assessor, StripSchedule
from tinyseg.tflite.patching.unroll import StripNetwork, StripRegion

# Strips tried for a region.
_STRIPS = (1, 2, 4, 8, 16, 32)
# Cuts between input and output; with more of them the search takes too long.
_MAX_CUTS = 3
# Finer strips tried in a strip.
_FINER = (2, 3, 4)
# Plans that are taken on to the next cut.
_BEAM = 4


class Cuts(NamedTuple):
    """A choice of cuts.

    Attributes:
        cuts: tensors in order, the output last.
        limit: bytes up to which other tensors are kept for later regions.
    """

    cuts: tuple[int, ...]
    limit: int


def best_schedule(
    model: TfliteModel,
    max_macs: int,
    *,
    count_overhead: bool = True,
    progress: Callable[[], None] = lambda: None,
) -> StripSchedule | None:
    """Return the schedule with the smallest arena.

    Args:
        model: one input, one output.
        max_macs: multiply-accumulates that a schedule may take.
        count_overhead: False to ask for the fewest bytes of activations, whatever the operators
            themselves take of the arena: a bound for interpreters with smaller structures.
        progress: called after each plan that was tried.

    Returns:
        The schedule; None if the network is best executed as it is.
    """
    network = StripNetwork(model)
    assess = Assessor(network, count_overhead=count_overhead).assess
    search = _Search(network, assess, max_macs, progress)
    plain = assess(search.regions(Cuts((model.outputs[0].index,), 0)))
    finalists = [search.refine(schedule) for schedule in search.run()]
    finalists = [schedule for schedule in finalists if schedule.macs <= max_macs]
    best = min(finalists, key=lambda schedule: schedule.arena, default=plain)
    return best if best.arena < plain.arena else None


class _Search:
    def __init__(
        self,
        network: StripNetwork,
        assess: Callable[..., StripSchedule],
        max_macs: int,
        progress: Callable[[], None],
    ) -> None:
        self._network, self.assess, model = network, assess, network.model
        self._max_macs, self._progress = max_macs, progress
        self._tuned: dict[tuple[StripRegion, ...], StripSchedule | None] = {}
        # Bytes of the best schedule so far.
        self._least: int | None = None
        self._output = model.outputs[0].index
        self._places = [place for place in _places(self._network) if place != self._output]
        self._spatial = {tensor.index for tensor in model.tensors if len(tensor.shape) == 4}

    def run(self) -> list[StripSchedule]:
        """Return the best schedules without finer strips, by estimate, the best one first."""
        born = self._network.born
        limits = [0, *sorted({self._network.bytes[place] for place in self._places})]
        tried: set[Cuts] = set()
        beam = [Cuts((self._output,), 0)]
        found: dict[Cuts, StripSchedule] = {}
        for _ in range(_MAX_CUTS):
            longer = {
                Cuts(tuple(sorted({*plan.cuts, place}, key=born)), limit)
                for plan in beam
                for place in self._places
                for limit in limits
            }
            for plan in sorted(longer - tried):
                tried.add(plan)
                schedule = self._tune(plan)
                if schedule is not None:
                    found[plan] = schedule
                self._progress()
            beam = sorted(found, key=lambda plan: (found[plan].arena, plan))[:_BEAM]
        return [found[plan] for plan in beam]

    def regions(self, plan: Cuts) -> list[StripRegion]:
        """Turn cuts into regions, each as a whole."""
        network = self._network
        stored = {network.model.inputs[0].index}
        parts = []
        for cut in plan.cuts:
            before = frozenset(stored)
            closure = network.closure((cut,), before)
            made = {t.index for op in closure for t in op.outputs}
            stored |= {t for t in made & self._spatial if network.bytes[t] <= plan.limit}
            stored.add(cut)
            parts.append((cut, before & network.read_by(closure), made))
        regions = []
        needed: set[int] = set()
        for cut, before, made in reversed(parts):
            extra = sorted((made & needed) - {cut})
            regions.append(StripRegion((*extra, cut), before))
            needed |= before
        return regions[::-1]

    def _tune(self, plan: Cuts) -> StripSchedule | None:
        """Choose the strips of each region."""
        regions = tuple(self.regions(plan))
        if regions not in self._tuned:
            self._tuned[regions] = self._tune_regions(regions)
        return self._tuned[regions]

    def _tune_regions(self, regions: tuple[StripRegion, ...]) -> StripSchedule | None:
        choices = [
            [region._replace(strips=n) for n in _STRIPS if self._possible(region, n)]
            for region in regions
        ]
        # More strips need less memory: what is too much with the most of them is hopeless.
        finest = self.assess([options[-1] for options in choices], exact=False)
        if self._least is not None and finest.head > self._least:
            return None
        schedule = self._descend([options[len(options) // 2] for options in choices], choices)
        if schedule.macs > self._max_macs:
            return None
        self._least = min(schedule.arena, self._least or schedule.arena)
        return schedule

    def _possible(self, region: StripRegion, strips: int) -> bool:
        return strips == 1 or self._network.can_strip(region._replace(strips=strips))

    def refine(self, schedule: StripSchedule) -> StripSchedule:
        """Try finer strips, and numbers of strips near those of a schedule; measure exactly."""
        choices = []
        for region in schedule.regions:
            options = [region]
            if region.strips > 1:
                numbers = range(max(2, region.strips // 2), region.strips + 3)
                options = [region._replace(strips=n) for n in numbers]
                options += self._divided(region)
            choices.append([r for r in options if self._possible(r, r.strips)])
        regions = list(schedule.regions)
        return self.assess(self._descend(regions, choices, near=False).regions)

    def _divided(self, region: StripRegion) -> list[StripRegion]:
        if len(region.sinks) > 1:
            return []
        closure = self._network.closure(region.sinks, region.stored)
        made = {t.index for op in closure for t in op.outputs}
        numbers = sorted({max(2, region.strips // d) for d in (1, 2, 3)})
        return [
            region._replace(strips=strips, waist=waist, finer=finer)
            for waist in self._places
            if waist in made
            for strips in numbers
            for finer in _FINER
        ]

    def _descend(
        self, start: list[StripRegion], choices: list[list[StripRegion]], *, near: bool = True
    ) -> StripSchedule:
        """Change one region after the other until nothing gets better.

        Args:
            start: the first choice.
            choices: for each region.
            near: whether to try only the choices beside the present one.
        """
        regions = list(start)
        current, improved = self.assess(regions, exact=False), True
        while improved:
            improved = False
            for position, options in enumerate(choices):
                tried = options
                if near:
                    at = options.index(regions[position])
                    tried = [*options[max(at - 1, 0) : at], *options[at + 1 : at + 2]]
                for option in tried:
                    trial = [*regions[:position], option, *regions[position + 1 :]]
                    schedule = self.assess(trial, exact=False)
                    if self._rank(schedule) < self._rank(current):
                        regions, current, improved = trial, schedule, True
        return current

    def _rank(self, schedule: StripSchedule) -> tuple[int, int]:
        """Within the limit by arena, beyond it by work."""
        return max(schedule.macs - self._max_macs, 0), schedule.arena


def _places(network: StripNetwork) -> list[int]:
    """Return the tensors to cut at: where paths part, and where the resolution changes."""
    readers = Counter(t for op in network.model.operators for t in network.read_by([op]))
    found = {tensor for tensor, count in readers.items() if count > 1}
    for operator in network.model.operators:
        how = network.rules[operator.index]
        if how is not None and how.stride > 1:
            found.add(operator.outputs[0].index)
        elif how is not None and how.scale > 1:
            found.add(_before(network, operator))
    shapes = [tensor.shape for tensor in network.model.tensors]
    return sorted((t for t in found if len(shapes[t]) == 4 and shapes[t][3] > 1), key=network.born)


def _before(network: StripNetwork, operator: Operator) -> int:
    """Return the tensor that is enlarged, before the convolutions that prepare it."""
    source = activations(operator)[0].index
    for opcode in ("CONCATENATION", "CONV_2D", "PAD"):
        producer = network.producers.get(source)
        if operator.opcode == "DEPTH_TO_SPACE" and producer and producer.opcode == opcode:
            source = activations(producer)[0].index
    return source
