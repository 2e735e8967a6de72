"""Scores of masks and classes; no TensorFlow."""
