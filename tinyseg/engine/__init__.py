"""An engine of our own: a ``.tflite`` file as a program that computes row by row."""
