"""The tensor arena of TensorFlow Lite Micro: what a file takes of it, and where in it."""
