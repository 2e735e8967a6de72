"""The rules: what a run has shown so far in, what is wrong with it out.

A rule says what it finds in the latest epoch, layer by layer; thresholds are those of
:mod:`tinyseg.training.watch.thresholds`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from tinyseg.training.watch.sight import Gradient, Output, Sight

_EPSILON = 1e-9


@dataclasses.dataclass(frozen=True)
class Finding:
    """What a rule found.

    Attributes:
        rule: its name.
        epoch: that was finished; 0 before the first.
        layer: or weights or class; empty where it is the run as a whole.
        value: that broke the rule.
        says: what the value is, for people.
    """

    rule: str
    epoch: int
    layer: str
    value: float
    says: str


@dataclasses.dataclass(frozen=True)
class Seen:
    """What a run has shown.

    Attributes:
        epoch: the last one that was finished; 0 before the first.
        history: scores of each epoch, from the first.
        sights: the looks, the last of which is of this epoch; empty if there was none.
        counts: images of each class, or pixels inside and outside of masks.
        fresh: whether weights began at random here.
        waiting: share of a step's time that its images take; None if that was not measured.
    """

    epoch: int
    history: Sequence[Mapping[str, float]]
    sights: Sequence[Sight] = ()
    counts: Mapping[str, int] = dataclasses.field(default_factory=dict)
    fresh: bool = True
    waiting: float | None = None

    def last(self, looks: float) -> Sequence[Sight]:
        """Return the last so many looks; none if there were fewer, or none of this epoch."""
        count = int(looks)
        current = self.sights and self.sights[-1].epoch == self.epoch
        return self.sights[-count:] if current and len(self.sights) >= count else ()

    def scores(self, key: str) -> list[float]:
        """Return one score of all epochs; empty if it is missing."""
        found = [row.get(key) for row in self.history]
        return [] if None in found else [float(value) for value in found if value is not None]


# Rules yield layer, value and what it is.
_Found = Iterator[tuple[str, float, str]]
_Bounds = Mapping[str, float]


def vanishing_gradient(seen: Seen, bounds: _Bounds) -> _Found:
    """See the table."""

    def broken(sight: Sight) -> dict[str, float]:
        means = {name: gradient.mean for name, gradient in sight.gradients.items()}
        return {name: mean for name, mean in means.items() if mean < bounds["mean"]}

    for name, mean in _in_all(seen, bounds, broken):
        yield name, mean, f"mean |gradient| {mean:.1e}"


def exploding_gradient(seen: Seen, bounds: _Bounds) -> _Found:
    """See the table."""

    def broken(gradient: Gradient) -> bool:
        return not gradient.largest < bounds["largest"]

    for sight in seen.last(1):
        for name, gradient in sight.gradients.items():
            if broken(gradient):
                yield name, gradient.largest, f"largest |gradient| {gradient.largest:.1e}"


def poor_initialisation(seen: Seen, bounds: _Bounds) -> _Found:
    """See the table; the scale of a kernel is its variance times its number of inputs."""
    if not seen.fresh:
        return
    losses = seen.scores("loss")
    if len(losses) == bounds["patience"] and min(losses[1:]) >= losses[0]:
        yield "", losses[0], f"loss {losses[0]:.4f} has not fallen since the first epoch"
    for sight in seen.last(1) if seen.epoch == 0 else ():
        # A single number has neither variance nor span.
        gains = {name: _gain(kernel) for name, kernel in sight.weights.items() if kernel.size > 1}
        if not gains:
            continue
        low, high = min(gains, key=gains.__getitem__), max(gains, key=gains.__getitem__)
        ratio = gains[high] / max(gains[low], 1e-30)
        if ratio > bounds["ratio"]:
            yield low, ratio, f"variance times inputs {ratio:.1e} times less than in {high}"
        for name, gradient in sight.gradients.items():
            if name in gains and gradient.spread < bounds["spread"]:
                yield name, gradient.spread, f"gradients span {gradient.spread:.1e}"


def dead_relu(seen: Seen, bounds: _Bounds) -> _Found:
    """See the table; a unit is a channel."""

    def broken(sight: Sight) -> dict[str, float]:
        dead = {
            name: float((output.activity < bounds["active"]).mean())
            for name, output in sight.outputs.items()
            if output.activity.size
        }
        return {name: share for name, share in dead.items() if share > bounds["share"]}

    for name, share in _in_all(seen, bounds, broken):
        yield name, share, f"{share:.0%} of its units are dead"


def saturated_activation(seen: Seen, bounds: _Bounds) -> _Found:
    """See the table; bounds of inputs are taken as what they give."""

    def broken(sight: Sight) -> dict[str, float]:
        flat = {name: _flat(output, bounds) for name, output in sight.outputs.items()}
        return {name: share for name, share in flat.items() if share > bounds["share"]}

    for name, share in _in_all(seen, bounds, broken):
        yield name, share, f"{share:.0%} of its values are saturated"


def loss_not_decreasing(seen: Seen, bounds: _Bounds) -> _Found:
    """See the table; a loss that fell to the share ``learned`` of the first has done so."""
    losses, count = seen.scores("loss"), int(bounds["epochs"])
    if len(losses) <= count:
        return
    before, now = min(losses[:-count]), min(losses[-count:])
    if now >= before * (1 - bounds["fall"]) and now > bounds["learned"] * losses[0]:
        yield "", now, f"loss {now:.4f}, {before:.4f} {count} epochs ago"


def overfit(seen: Seen, bounds: _Bounds) -> _Found:
    """See the table; the validation loss is also above its best by the share ``above_best``."""
    count = int(bounds["epochs"])
    training, validation = seen.scores("loss"), seen.scores("val_loss")
    if not validation or len(training) < count:
        return
    ratios = [(v - t) / max(t, _EPSILON) for t, v in zip(training, validation, strict=True)]
    least = min(ratios[-count:])
    risen = min(validation[-count:]) >= min(validation) * (1 + bounds["above_best"])
    if least > bounds["ratio"] and (risen or not bounds["above_best"]):
        yield "", ratios[-1], f"validation loss {ratios[-1]:.0%} above that of training"


def overtraining(seen: Seen, bounds: _Bounds) -> _Found:
    """See the table; an optimum is a loss lower than the last by ``delta``."""
    waits = {
        "train": _since_optimum(seen.scores("loss"), bounds),
        "validation": _since_optimum(seen.scores("val_loss"), bounds),
    }
    if all(wait >= bounds[part] for part, wait in waits.items()):
        wait = waits["validation"]
        yield "", wait, f"the validation loss has not improved for {wait} epochs"


def unchanged_weights(seen: Seen, bounds: _Bounds) -> _Found:
    """See the table."""
    sights = seen.last(bounds["looks"] + 1)
    for name, first in sights[0].weights.items() if sights else ():
        later = [sight.weights[name] for sight in sights[1:]]
        if all(np.allclose(w, first, bounds["rtol"], bounds["atol"]) for w in later):
            yield name, 0.0, f"unchanged since epoch {sights[0].epoch}"


def update_ratio(seen: Seen, bounds: _Bounds) -> _Found:
    """See the table; ``from_zero`` tells whether kernels that were all zero count."""
    sights = seen.last(2)
    if not sights:
        return
    old, new = sights
    for name, kernel in old.weights.items():
        if not bounds["from_zero"] and not kernel.any():
            continue
        ratio = float(
            np.linalg.norm(new.weights[name] - kernel) / (np.linalg.norm(kernel) + _EPSILON)
        )
        if not bounds["small"] <= ratio <= bounds["large"]:
            yield name, ratio, f"changed by {ratio:.1e} of its size"


def class_imbalance(seen: Seen, bounds: _Bounds) -> _Found:
    """See the table; with ``both`` a rare class also has to be missed."""
    if len(seen.counts) < 2 or seen.epoch < bounds["first"]:
        return
    rare = min(seen.counts, key=seen.counts.__getitem__)
    ratio = max(seen.counts.values()) / max(seen.counts[rare], 1)
    missed = max((s.missed.get(rare, 0.0) for s in seen.last(1)), default=0.0)
    found = [ratio > bounds["ratio"], missed > bounds["mispredicted"]]
    if all(found) if bounds["both"] else any(found):
        yield rare, ratio, f"{ratio:.0f} times rarer than the largest class, {missed:.0%} missed"


def all_zero(seen: Seen, bounds: _Bounds) -> _Found:
    """See the table; weights may start at zero."""
    if seen.epoch == 0:
        return

    def broken(sight: Sight) -> dict[str, float]:
        zeros = {name: output.zeros for name, output in sight.outputs.items()}
        zeros |= {name: float((w == 0).mean()) for name, w in sight.weights.items()}
        return {name: share for name, share in zeros.items() if share >= bounds["share"]}

    for name, share in _in_all(seen, bounds, broken):
        yield name, share, f"{share:.0%} of its values are zero"


def input_starvation(seen: Seen, bounds: _Bounds) -> _Found:
    """See the table."""
    if seen.waiting is not None and seen.waiting > bounds["share"]:
        yield "", seen.waiting, f"its images take {seen.waiting:.0%} of the time of a step"


CHECKS: Mapping[str, Callable[[Seen, _Bounds], _Found]] = {
    check.__name__: check
    for check in (
        *(vanishing_gradient, exploding_gradient, poor_initialisation, dead_relu),
        *(saturated_activation, loss_not_decreasing, overfit, overtraining, unchanged_weights),
        *(update_ratio, class_imbalance, all_zero, input_starvation),
    )
}


def findings(seen: Seen, rule: str, bounds: _Bounds) -> list[Finding]:
    """Return what one rule finds in the latest epoch."""
    return [
        Finding(rule, seen.epoch, layer, float(value), says)
        for layer, value, says in CHECKS[rule](seen, bounds)
    ]


def _in_all(
    seen: Seen, bounds: _Bounds, broken: Callable[[Sight], Mapping[str, float]]
) -> list[tuple[str, float]]:
    """Return what is broken in each of the last looks, with its latest value."""
    sights = [broken(sight) for sight in seen.last(bounds["looks"])]
    return [(n, v) for n, v in sights[-1].items() if all(n in s for s in sights)] if sights else []


def _flat(output: Output, bounds: _Bounds) -> float:
    if not output.values.size:
        return 0.0
    if output.kind == "tanh":
        return float((np.abs(output.values) >= np.tanh(np.float32(bounds["tanh"]))).mean())
    low, high = (1 / (1 + np.exp(-np.float32(bounds[end]))) for end in ("low", "high"))
    return float(((output.values <= low) | (output.values >= high)).mean())


def _gain(kernel: np.ndarray) -> float:
    """Return variance times inputs: 2 where He initialised, about 1 where Glorot did."""
    return float(kernel.var() * np.prod(kernel.shape[:-1]))


def _since_optimum(losses: Sequence[float], bounds: _Bounds) -> int:
    best, wait = np.inf, 0
    for loss in losses:
        margin = bounds["delta"] * (best if bounds["relative"] else 1.0)
        if not np.isfinite(best) or loss < best - margin:
            best, wait = loss, 0
        else:
            wait += 1
    return wait
