"""One row a network: what ``test_networks.py`` needs to hold it to the whole contract."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

Size = tuple[int, int, int]
Variant = tuple[Size, dict[str, Any]]
Learning = tuple[int, Mapping[str, Any]]

# What every U-shaped network takes; the first one is converted.
U_SHAPES: tuple[Variant, ...] = (
    ((32, 16, 3), {"base_width": 4, "depth": 2}),
    ((16, 16, 4), {"base_width": 2, "depth": 3, "classes": 3}),
    ((8, 8, 1), {"base_width": 3, "depth": 1}),
)


@dataclasses.dataclass(frozen=True)
class Row:
    """What is known of a network.

    Attributes:
        counts: parameters, trainable parameters and multiply-accumulates of the registry's
            entry.
        variants: input height, width, channels and arguments of small ones.
        refused: height and width that the network cannot take, and the cure to be named.
        recipe: how the first variant becomes integers.
        heavy: takes seconds to build at full width, or again and again at a small one, so that
            doing so is for the slow tests.
        like: network whose tests cover this one's code too, so that its own are slow ones.
        learns: epochs and arguments with which it learns phantoms of 64 x 64 in minutes.
        width: the argument that makes it wider.
    """

    counts: tuple[int, int, int]
    variants: tuple[Variant, ...] = U_SHAPES
    refused: tuple[tuple[int, int], str] = ((100, 64), "use 112x64")
    recipe: str = "static_wi8_ai8"
    heavy: bool = False
    like: str = ""
    learns: Learning = (25, MappingProxyType({"base_width": 8, "depth": 3}))
    width: str = "base_width"


ROWS = {
    "attention_unet": Row((10_983_941, 10_982_981, 14_555_217_920)),
    "attention_unet_ds": Row(
        (2_658_816, 2_657_856, 2_874_605_568), learns=(40, {"base_width": 8, "depth": 3})
    ),
    "attention_unet_ds_mcu": Row((174_902, 174_662, 53_608_448), like="attention_unet_ds"),
    "attention_unet_ds_256k": Row(
        (45_877, 45_765, 13_514_688), refused=((100, 64), "use 104x64"), like="attention_unet_ds"
    ),
    "unet": Row((31_030_593, 31_030_593, 54_534_340_608)),
    "lw_unet": Row((3_933_633, 3_933_633, 9_765_519_360)),
    "lw_unet_256k": Row((53_586, 53_586, 29_264_760), like="lw_unet"),
    # 3,926,784 kernel elements, of three bits each.
    "blu_net": Row(
        (3_933_828, 3_933_828, 9_765_519_360),
        (
            ((32, 16, 3), {"base_width": 4, "depth": 1}),
            ((16, 16, 1), {"base_width": 2, "depth": 2, "classes": 3}),
        ),
        recipe="qat_wi8_ai8",
        learns=(40, {"base_width": 8, "depth": 3}),
    ),
    "tiny_unet": Row(
        (487_105, 481_105, 1_560_870_912),
        (
            ((32, 16, 3), {"base_width": 8, "depth": 2, "receptive_fields": 2}),
            ((16, 16, 4), {"base_width": 8, "depth": 3, "classes": 3, "receptive_fields": 4}),
            ((8, 8, 1), {"base_width": 4, "depth": 1, "receptive_fields": 1}),
        ),
        learns=(40, {"base_width": 8, "depth": 3, "receptive_fields": 4}),
    ),
    "classic_unet": Row((5_496_385, 5_496_385, 9_092_505_600)),
    "improved_unet": Row((3_086_585, 3_082_673, 6_336_576_000)),
    "brain_attention_unet": Row((3_262_109, 3_258_197, 6_455_404_800)),
    "stan": Row((29_380_385, 29_380_385, 35_940_990_976)),
    "encoder_unet": Row(
        (51_033, 49_113, 14_323_712),
        (
            ((32, 16, 3), {"decoder_width": 4}),
            ((16, 32, 1), {"encoder": "efficientnet_lite0", "decoder_width": 2, "classes": 3}),
        ),
        learns=(40, {}),
        width="decoder_width",
    ),
    "custom_cnn": Row(
        (3_003_140, 3_001_156, 140_164_736),
        (
            ((72, 80, 3), {"base_width": 12}),
            ((69, 69, 1), {"base_width": 6, "classes": 2}),
        ),
        refused=((100, 64), "use at least 69x69"),
    ),
    "alexnet": Row(
        (4_589_316, 4_589_316, 173_604_480),
        (
            ((72, 80, 3), {"base_width": 12}),
            ((69, 69, 1), {"base_width": 12, "classes": 2}),
        ),
        refused=((100, 64), "use at least 69x69"),
    ),
    "vgg16": Row(
        (65_070_916, 65_070_916, 5_061_492_736),
        (
            ((32, 64, 3), {"base_width": 4}),
            ((40, 32, 1), {"base_width": 6, "classes": 2, "dropout": 0.0}),
        ),
        refused=((16, 64), "use at least 32x32"),
        heavy=True,
    ),
    "vit": Row(
        (21_459_460, 21_459_460, 1_431_580_672),
        (
            (
                (32, 16, 3),
                {"base_width": 24, "depth": 2, "heads": 4, "hidden_width": 20, "patch_size": 8},
            ),
            (
                (16, 16, 1),
                {
                    "base_width": 6,
                    "depth": 1,
                    "heads": 1,
                    "hidden_width": 8,
                    "classes": 2,
                    "dropout": 0.0,
                },
            ),
        ),
    ),
    "resnet50": Row(
        (23_593_859, 23_540_739, 3_855_931_392),
        (((32, 48, 1), {"base_width": 4, "classes": 2}),),
        refused=((16, 64), "use at least 32x32"),
        heavy=True,
    ),
    "resnet101": Row(
        (42_664_323, 42_558_979, 7_568_152_576),
        (((32, 48, 1), {"base_width": 4, "classes": 2}),),
        refused=((16, 64), "use at least 32x32"),
        heavy=True,
        like="resnet50",
    ),
}
