"""The front door: what ``import tinyseg`` offers, each a call of :mod:`tinyseg.steps`.

``import tinyseg`` itself takes no time; TensorFlow comes with the first call that needs it.
"""

from tinyseg.front.networks import build, load, quantize
from tinyseg.front.quantized import Quantized

__all__ = ["Quantized", "build", "load", "quantize"]
