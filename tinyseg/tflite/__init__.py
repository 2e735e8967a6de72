"""The ``.tflite`` file as an object. Nothing here imports TensorFlow."""

from tinyseg.tflite.model import Operator, Tensor, TfliteModel

__all__ = ["Operator", "Tensor", "TfliteModel"]
