"""Keras models of the user's, from a file or in memory, as flat networks of Keras 2.

Files are read as data: their description of the network is held against lists of layers and
functions that are known, before anything is built from it, and weights are read as arrays.
See :mod:`tinyseg.keras_files.safety`.
"""
