"""The schema of ``.tflite`` files: the only place that reads and writes raw flatbuffers.

The classes are those that ship with TensorFlow Lite Micro's own Python package, so the reader
knows exactly the operators that its interpreter may know. Other modules take enumerations and
tables from here.
"""

from __future__ import annotations

from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as raw

ActivationFunctionType = raw.ActivationFunctionType
BuiltinOperator = raw.BuiltinOperator
BuiltinOptions = raw.BuiltinOptions
Padding = raw.Padding
TensorType = raw.TensorType
