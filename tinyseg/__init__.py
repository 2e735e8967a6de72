"""Deploy medical image segmentation networks from Keras to microcontrollers."""

import os

__version__ = "0.1.0"

# These only take effect before TensorFlow is imported, so they stand here, in the first
# module to run; importing tinyseg itself never imports TensorFlow.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# oneDNN's AVX-512 weight gradient of a strided 1x1 convolution with few channels crashes.
os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")
# TensorFlow only uses it by itself on some CPUs; on the others training takes twice as long.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
