"""Give a converted file what a user of it needs: names, a signature, the processing plan."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from tinyseg.tflite import schema
from tinyseg.tflite.model import CHECKSUM_LENGTH, METADATA_NAME, TfliteModel, read_plan

SIGNATURE = "serving_default"


def annotate(
    content: bytes, plan: Mapping[str, Any], description: str, input_name: str, output_name: str
) -> bytes:
    """Name input and output, add a signature, a description and the plan as metadata.

    A checksum of graph and constants goes with the plan, so that damage is noticed.
    Buffers come out aligned to 16 bytes, as the schema demands and microcontrollers need.

    Args:
        content: bytes of a single-input, single-output ``.tflite`` file.
        plan: stored as JSON under the metadata name ``tinyseg``.
        description: free text that viewers show.
        input_name, output_name: tensor names, also used in the signature.

    Returns:
        The bytes of the new file.
    """
    model = schema.unpack(content)
    graph = model.subgraphs[0]
    graph.tensors[graph.inputs[0]].name = input_name
    graph.tensors[graph.outputs[0]].name = output_name
    model.description = description
    signature = schema.SignatureDefT()
    signature.signatureKey = SIGNATURE
    signature.inputs = [_tensor_map(input_name, graph.inputs[0])]
    signature.outputs = [_tensor_map(output_name, graph.outputs[0])]
    model.signatureDefs = [signature]
    _add_plan(model, {**plan, "checksum": ""})
    return seal(model)


def with_plan(content: bytes, changes: Mapping[str, Any]) -> bytes:
    """Return a file whose stored plan has other values; one is added to a file without.

    Args:
        content: bytes of a ``.tflite`` file.
        changes: values of the plan by name.
    """
    model = schema.unpack(content)
    for entry in model.metadata or []:
        if entry.name in (METADATA_NAME, METADATA_NAME.encode()):
            data = model.buffers[entry.buffer].data
            plan = read_plan(b"" if data is None else bytes(data))
            model.buffers[entry.buffer] = _plan_buffer({**plan, **changes})
            return seal(model)
    _add_plan(model, changes)
    return schema.pack_aligned(model)


def _add_plan(model: schema.ModelT, plan: Mapping[str, Any]) -> None:
    model.buffers.append(_plan_buffer(plan))
    entry = schema.MetadataT()
    entry.name, entry.buffer = METADATA_NAME, len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]


def seal(model: schema.ModelT) -> bytes:
    """Return the bytes of an edited file, with the checksum in its plan brought up to date.

    Args:
        model: with a plan that has a checksum, or without (others' files stay without).

    Returns:
        The bytes of the file, buffers aligned to 16 bytes.
    """
    for entry in model.metadata or []:
        if entry.name in (METADATA_NAME, METADATA_NAME.encode()):
            data = model.buffers[entry.buffer].data
            plan = read_plan(b"" if data is None else bytes(data))
            if "checksum" in plan:
                return _to_bytes_with_checksum(model, entry.buffer, plan)
    return schema.pack_aligned(model)


def is_sealed(model: TfliteModel) -> bool:
    """Tell whether a file bears a checksum of ours, and is as it was when it got that."""
    stored = model.plan.get("checksum")
    return stored is not None and stored == model.checksum()


def _to_bytes_with_checksum(model: schema.ModelT, buffer: int, plan: Mapping[str, Any]) -> bytes:
    unknown = _plan_buffer({**plan, "checksum": "0" * CHECKSUM_LENGTH})
    model.buffers[buffer] = unknown
    content = schema.pack_aligned(model)
    known = _plan_buffer({**plan, "checksum": TfliteModel.parse(content).checksum()})
    # As long as before, so nothing else moves.
    return content.replace(unknown.data.tobytes(), known.data.tobytes())


def _plan_buffer(plan: Mapping[str, Any]) -> schema.BufferT:
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(json.dumps(plan, sort_keys=True).encode(), np.uint8)
    return buffer


def _tensor_map(name: str, index: int) -> schema.TensorMapT:
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name, int(index)
    return entry
