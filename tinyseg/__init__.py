"""Deploy medical image segmentation networks from Keras to microcontrollers."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = ["Quantized", "__version__", "build", "load", "quantize"]

# These only take effect before TensorFlow is imported, so they stand here, in the first
# module to run; importing tinyseg itself never imports TensorFlow.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# oneDNN's AVX-512 weight gradient of a strided 1x1 convolution with few channels crashes.
os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")
# TensorFlow only uses it by itself on some CPUs; on the others training takes twice as long.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

if TYPE_CHECKING:
    from tinyseg.front import Quantized, build, load, quantize


def __getattr__(name: str) -> object:
    """Bring the front door when it is first used: the command line needs none of it."""
    if name in __all__:
        return getattr(importlib.import_module("tinyseg.front"), name)
    raise AttributeError(f"module 'tinyseg' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
