"""Building blocks shared by several networks."""

from tinyseg.zoo.blocks.attention_gate import attention_gate, oktay_gate
from tinyseg.zoo.blocks.convolution import (
    double_conv,
    mask_head,
    normalized_conv,
    same_conv,
)

__all__ = [
    "attention_gate",
    "double_conv",
    "mask_head",
    "normalized_conv",
    "oktay_gate",
    "same_conv",
]
