"""The ``.tflite`` file as an object. Nothing here imports TensorFlow."""

from tinyseg.tflite.model import TfliteModel
from tinyseg.tflite.nodes import Operator, Tensor

__all__ = ["Operator", "Tensor", "TfliteModel"]
