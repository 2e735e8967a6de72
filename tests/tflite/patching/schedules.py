"""Schedules to try, and what each of them must keep: bytes, work and memory."""

from __future__ import annotations

from tests.tflite.drafts import VALID, assert_same
from tests.tflite.patching.networks import chain, lopsided, unet
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.arena.memory import predict_arena
from tinyseg.tflite.ops.registry import total_cost
from tinyseg.tflite.patching.emit import emit
from tinyseg.tflite.patching.schedule import Assessor
from tinyseg.tflite.patching.unroll import StripNetwork, StripRegion

NETWORKS = {
    "plain": unet,
    "gates": lambda: unet(gates=True),
    "shuffled": lambda: unet(shuffled=True),
    "both": lambda: unet(16, 8, gates=True, shuffled=True),
    "odd below": lambda: unet(22, 6, depth=1),
    "chain": chain,
    "chain without padding": lambda: chain(padding=VALID),
    "lopsided": lopsided,
}


def assert_as_said(model, regions):
    """Write a schedule; compare work, memory and bytes. Returns the file."""
    schedule = Assessor(StripNetwork(model)).assess(regions)
    made = TfliteModel.parse(emit(model, schedule))
    assert predict_arena(made).lower_bound == schedule.head
    assert total_cost(made).macs == schedule.macs
    assert [tensor.name for tensor in made.outputs] == [tensor.name for tensor in model.outputs]
    # What is computed twice is two tensors: one would be alive in between.
    results = [operator.outputs[0].index for operator in made.operators]
    assert len(set(results)) == len(results)
    assert_same(model.content, made.content, images=1)
    return made


def whole(model, strips=1):
    return StripRegion((model.outputs[0].index,), frozenset({model.inputs[0].index}), strips)


def cuttable(model):
    """Tensors between input and output that may be stored, in order of execution."""
    output = model.outputs[0].index
    return [op.outputs[0].index for op in model.operators if op.outputs[0].index != output]


def largest(network, region):
    return min(network.height(sink) for sink in region.sinks)


def random_regions(model, random):
    """Some cuts, some tensors kept for later besides, and strips of all kinds."""
    network = StripNetwork(model)
    places = cuttable(model)
    count = min(int(random.integers(0, 4)), len(places))
    cuts = sorted(random.choice(places, count, replace=False).tolist(), key=network.born)
    regions, stored = [], {model.inputs[0].index}
    cuts_and_end = [*cuts, model.outputs[0].index]
    for cut in cuts_and_end:
        region = StripRegion((cut,), frozenset(stored))
        made = {op.outputs[0].index for op in network.closure(region.sinks, region.stored)}
        extra = sorted(made - {cut, model.outputs[0].index})
        if extra and cut != cuts_and_end[-1] and random.random() < 0.5:
            kept = random.choice(extra, min(2, len(extra)), replace=False).tolist()
            region = region._replace(sinks=(*sorted(kept), cut))
        elif extra and random.random() < 0.5:
            waist, finer = int(random.choice(extra)), int(random.integers(2, 4))
            region = region._replace(waist=waist, finer=finer)
        most = max(1, largest(network, region) // region.finer)
        region = region._replace(strips=int(random.integers(1, most + 1)))
        if not network.can_strip(region):
            region = StripRegion(region.sinks, region.stored)
        regions.append(region)
        stored |= set(region.sinks)
    return without_unread(network, regions)


def without_unread(network, regions):
    """Drop stored tensors that no later region reads: nobody would write such a schedule."""
    output, kept = regions[-1].sinks[-1], []
    needed = {output}
    for region in reversed(regions):
        sinks = tuple(sink for sink in region.sinks if sink in needed)
        if sinks:
            region = region._replace(sinks=sinks)
            kept.insert(0, region)
            needed |= network.read_by(network.closure(sinks, region.stored)) & set(region.stored)
    return [region._replace(stored=frozenset(region.stored & needed)) for region in kept]
