"""What values of a plan's numbers make sense, whatever the network and the data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from tinyseg.errors import InputError


class Limit(NamedTuple):
    """The numbers that a setting takes.

    Attributes:
        least, most: both included.
        above: whether ``least`` itself is left out.
    """

    least: float = 0
    most: float = math.inf
    above: bool = False

    def holds(self, value: float) -> bool:
        """Tell whether a number is within the limits; NaN and infinity never are."""
        low = value > self.least if self.above else value >= self.least
        return math.isfinite(value) and low and value <= self.most

    def __str__(self) -> str:
        if self.most < math.inf and self.above:
            return f"more than {self.least:g}, {self.most:g} at most"
        if self.most < math.inf:
            return f"{self.least:g} to {self.most:g}"
        return f"more than {self.least:g}" if self.above else f"{self.least:g} or more"


_COUNT, _SIZE, _RATE, _SHARE = Limit(0), Limit(1), Limit(0, above=True), Limit(0, 1)

# By the dotted names that ``--set`` takes.
LIMITS: Mapping[str, Limit] = {
    "seed": Limit(0, 2**32 - 1),
    "data.split_seed": Limit(0, 2**32 - 1),
    "data.folds": _COUNT,
    "data.fold": Limit(-1),
    "preprocessing.height": _SIZE,
    "preprocessing.width": _SIZE,
    "preprocessing.channels": _SIZE,
    "preprocessing.threshold": _SHARE,
    "preprocessing.blank_below": _SHARE,
    "preprocessing.share": Limit(0, 1, above=True),
    "preprocessing.relative": _SHARE,
    "preprocessing.smallest": _COUNT,
    "training.epochs": _COUNT,
    "training.batch_size": _SIZE,
    "training.learning_rate": _RATE,
    "training.warmup_epochs": _COUNT,
    "training.dice_weight": _COUNT,
    "training.miss_weight": _SHARE,
    "training.focal": _RATE,
    "training.presence_weight": _COUNT,
    "training.patience": _COUNT,
    "training.mix": _SHARE,
    "training.paste": _SHARE,
    "training.average": Limit(0, 0.9999),
    "training.frozen_stages": _COUNT,
    "training.stage_rate": Limit(0, 1, above=True),
    "distillation.encoder_epochs": _COUNT,
    "distillation.decoder_epochs": _COUNT,
    "distillation.learning_rate": _RATE,
    "distillation.teacher_weight": _SHARE,
    "quantization.calibration_images": _SIZE,
    "quantization.weight_bits": Limit(2, 8),
    "quantization.epochs": _COUNT,
    "quantization.learning_rate": _RATE,
}


def need_sense(values: Mapping[str, Any], where: str) -> None:
    """Refuse numbers that no run can mean.

    Args:
        values: a whole plan as nested mappings.
        where: the source, for messages.

    Raises:
        InputError: a number is out of its limits.
    """
    for name, limit in LIMITS.items():
        value: Any = values
        for key in name.split("."):
            value = value[key]
        if not limit.holds(value):
            raise InputError(f"{where}: {name} is {value:g}, it takes {limit}")
