"""Run a ``.tflite`` file: one protocol, several backends."""

from tinyseg.runtime.runner import Runner, TensorSpec

__all__ = ["Runner", "TensorSpec"]
