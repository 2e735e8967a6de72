"""Hold a parsed ``.tflite`` file against what TensorFlow Lite Micro can run."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np

from tinyseg.tflite.model import Operator, Tensor, TfliteModel
from tinyseg.tflite.op_table import supported

# No Cortex-M addresses more; a larger tensor is damage.
_MAX_TENSOR_ELEMENTS = 2**31 - 1
NOT_QUANTIZED = "not quantized; make it int8 with 'tinyseg quantize'"


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing to know about a file.

    Attributes:
        severity: ``error``: the file is damaged or of a kind that cannot be used;
            ``unsupported``: TFLM has no kernel for an operator; ``warning``: it runs.
        where: operator or tensor.
        message: what is wrong and the cure.
    """

    severity: Literal["error", "unsupported", "warning"]
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


def lint(model: TfliteModel) -> list[Finding]:
    """Check graph, shapes, types, quantization and operators.

    Args:
        model: a parsed file.

    Returns:
        Findings, errors first.
    """
    findings = _check_graph(model)
    for tensor in model.tensors:
        findings += _check_tensor(tensor)
    for operator in model.operators:
        findings += _check_operator(operator)
    return sorted(findings, key=lambda finding: finding.severity)


def _check_graph(model: TfliteModel) -> list[Finding]:
    findings = []
    if model.subgraphs != 1:
        findings.append(
            Finding(
                "error", "model", f"{model.subgraphs} subgraphs; export a single inference graph"
            )
        )
    if not model.operators or not model.inputs or not model.outputs:
        findings.append(
            Finding("error", "model", "no operators, inputs or outputs; convert it again")
        )
    known = {tensor.index for tensor in (*model.inputs, *model.tensors) if tensor.constant}
    known |= {tensor.index for tensor in model.inputs}
    for operator in model.operators:
        for tensor in operator.inputs:
            if tensor is not None and tensor.index not in known:
                findings.append(
                    Finding(
                        "error", _name(operator), f"reads '{tensor.name}' before it is computed"
                    )
                )
        known |= {tensor.index for tensor in operator.outputs}
    if all(t.dtype == "float32" for t in model.tensors if not t.constant):
        findings.append(Finding("error", "model", NOT_QUANTIZED))
    if model.plan.get("checksum", model.checksum()) != model.checksum():
        findings.append(Finding("error", "model", "content differs from its checksum; restore it"))
    return findings


def _check_tensor(tensor: Tensor) -> list[Finding]:
    where = f"tensor {tensor.index} '{tensor.name}'"

    def error(message: str) -> list[Finding]:
        return [Finding("error", where, message)]

    if tensor.dtype.startswith("type_"):
        return error(f"unknown element {tensor.dtype}; convert it again")
    if any(size < 1 for size in tensor.shape):
        return error(f"dynamic or empty shape {tensor.shape}; export with a fixed batch of 1")
    # math on Python integers: a product of damaged dimensions must not overflow.
    elements = 1
    for size in tensor.shape:
        elements *= size
    if elements > _MAX_TENSOR_ELEMENTS:
        return error(f"implausible shape {tensor.shape}; convert it again")
    if tensor.constant and tensor.dtype not in ("string", "int4"):
        expected = elements * np.dtype(tensor.dtype).itemsize
        if len(tensor.data) != expected:
            return error(f"holds {len(tensor.data)} bytes, its shape needs {expected}; damaged")
    if tensor.scales.size:
        if not np.isfinite(tensor.scales).all() or (tensor.scales <= 0).any():
            return error("scale is zero, negative or not finite; calibrate with real images")
        if tensor.scales.size > 1 and (
            not 0 <= tensor.axis < len(tensor.shape)
            or tensor.scales.size != tensor.shape[tensor.axis]
        ):
            return error("number of scales differs from the channels; damaged")
    return []


def _check_operator(operator: Operator) -> list[Finding]:
    where = _name(operator)
    findings = []
    if not supported(operator):
        findings.append(
            Finding(
                "unsupported",
                where,
                "TensorFlow Lite Micro has no kernel for it; replace the layer",
            )
        )
    data = [t for t in operator.inputs if t is not None and not t.constant]
    weights = [t for t in operator.inputs[1:2] if t is not None and t.constant]
    if operator.opcode in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED") and data and weights:
        if data[0].dtype == "float32" and weights[0].dtype in ("int8", "float16"):
            findings.append(
                Finding(
                    "error",
                    where,
                    f"{weights[0].dtype} weights with float32 activations (dynamic-range or "
                    "float16 quantization); use full-integer quantization",
                )
            )
    if operator.opcode == "RELU6" and operator.inputs[0].dtype == "int8":
        before, after = operator.inputs[0], operator.outputs[0]
        if not np.array_equal(before.scales, after.scales):
            findings.append(
                Finding(
                    "error",
                    where,
                    "a standalone int8 RELU6 that rescales is wrong in TFLM; fuse it into the "
                    "layer before",
                )
            )
    findings += _check_transpose_conv(operator, where)
    return findings


def _check_transpose_conv(operator: Operator, where: str) -> list[Finding]:
    if operator.opcode != "TRANSPOSE_CONV":
        return []
    _, height, width, channels = operator.inputs[1].shape
    if (height, width) == (4, 4) and operator.options.strideH == 2 and channels <= 16:
        return [
            Finding(
                "warning",
                where,
                "4x4 stride-2 SAME with at most 16 input channels is wrong in CMSIS-NN before "
                "July 2026 (CMSIS-NN #233); use a 2x2 or 3x3 kernel",
            )
        ]
    return []


def _name(operator: Operator) -> str:
    layer = operator.outputs[0].layer if operator.outputs else "?"
    return f"operator {operator.index} {operator.opcode} (layer '{layer}')"
