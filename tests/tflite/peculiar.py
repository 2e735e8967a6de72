"""A file with what converters seldom write, and signatures."""

import numpy as np
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests.tflite.drafts import File, conv, options


def peculiar():
    """A file with what converters seldom write, or only old ones."""
    file = File()
    file.model.description = "peculiar"
    source = file.tensor((1, 4, 4, 3), name="image")
    shared = conv(file, source, 2, seed=1)
    other = conv(file, source, 2, seed=2)
    # Both kernels in one buffer, both biases too.
    tensors = file.graph.tensors
    first, second = (operator.inputs[1:] for operator in file.graph.operators)
    for one, another in zip(first, second, strict=True):
        tensors[another].buffer = tensors[one].buffer
    total = file.tensor((1, 4, 4, 2), scale=0.2)
    file.operator("ADD", [shared, other], total, options("Add"))
    state = file.tensor((1, 8), name="state")
    file.graph.tensors[state].isVariable = True
    file.operator("CUSTOM", [total, -1, state], file.tensor((1, 4, 4, 2), scale=0.2))
    file.model.operatorCodes[-1].customCode = "SignalDelay"
    file.graph.operators[-1].customOptions = np.frombuffer(b"\x01\x02\x03", np.uint8)
    file.graph.tensors[source].shapeSignature = [-1, 4, 4, 3]
    file.graph.name = "main"
    # As converters wrote before 2020: the field of one byte alone.
    for code in file.model.operatorCodes:
        code.builtinCode, code.version = 0, 3
    file.model.metadata, file.model.signatureDefs = [], []
    for name, content in (("first", b"one"), ("second", b"another"), ("empty", b"")):
        entry, buffer = schema.MetadataT(), schema.BufferT()
        entry.name, entry.buffer = name, len(file.model.buffers)
        buffer.data = np.frombuffer(content, np.uint8)
        file.model.buffers.append(buffer)
        file.model.metadata.append(entry)
    last = file.graph.operators[-1].outputs[0]
    add_signature(file.model, {"picture": source}, {"sum": total, "delayed": last})
    return file.content([source], [last, total])


def add_signature(model, inputs, outputs):
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = "serving_default", 0
    for name, group in (("inputs", inputs), ("outputs", outputs)):
        entries = []
        for key, index in group.items():
            entry = schema.TensorMapT()
            entry.name, entry.tensorIndex = key, index
            entries.append(entry)
        setattr(signature, name, entries)
    model.signatureDefs = [signature]
