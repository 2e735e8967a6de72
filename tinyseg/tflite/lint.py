"""Hold a parsed ``.tflite`` file against what TensorFlow Lite Micro can run."""

from __future__ import annotations

import dataclasses

import numpy as np

from tinyseg.errors import InputError
from tinyseg.tflite.model import TfliteModel
from tinyseg.tflite.nodes import Operator, Tensor
from tinyseg.tflite.ops.checks import Check, Severity
from tinyseg.tflite.ops.registry import cost, lacking_type, op_of, supported

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

    severity: Severity
    where: str
    message: str

    def __str__(self) -> str:
        # Names in damaged files hold anything, line breaks included.
        return " ".join(f"{self.where}: {self.message}".split())


def lint(model: TfliteModel) -> list[Finding]:
    """Check graph, shapes, types, quantization and operators.

    Args:
        model: a parsed file.

    Returns:
        Findings, errors first.
    """
    findings = _check_graph(model)
    decoders = [operator for operator in model.operators if op_of(operator).decodes]
    encoded = {t.index for op in decoders for t in op.inputs if t is not None}
    for tensor in model.tensors:
        findings += _check_tensor(tensor, tensor.index in encoded)
    for operator in model.operators:
        findings += _check_operator(operator)
    return sorted(findings, key=lambda finding: finding.severity)


def usable(model: TfliteModel, floats: bool = False) -> list[Finding]:
    """Return what lint found short of an error.

    Args:
        model: parsed file.
        floats: whether a file that is not quantized will do.

    Raises:
        InputError: the file is damaged or of a kind that cannot be used.
    """
    findings = lint(model)
    accepted = (NOT_QUANTIZED,) if floats else ()
    errors = [f for f in findings if f.severity == "error" and f.message not in accepted]
    if errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise InputError(f"{model.path}: {errors[0]}{more}")
    return findings


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
    known = {tensor.index for tensor in model.tensors if tensor.constant}
    known |= {tensor.index for tensor in model.inputs}
    for operator in model.operators:
        for tensor in operator.inputs:
            if tensor is not None and tensor.index not in known:
                findings.append(
                    Finding(
                        "error", _name(operator), f"reads '{tensor.name}' before it is computed"
                    )
                )
        for tensor in operator.outputs:
            if tensor.constant:
                message = f"writes to the constant '{tensor.name}'; damaged"
                findings.append(Finding("error", _name(operator), message))
        known |= {tensor.index for tensor in operator.outputs}
    if all(t.dtype == "float32" for t in model.tensors if not t.constant):
        findings.append(Finding("error", "model", NOT_QUANTIZED))
    stored = model.plan.get("checksum")
    if stored is not None and stored != model.checksum():
        findings.append(Finding("error", "model", "content differs from its checksum; restore it"))
    return findings


def _check_tensor(tensor: Tensor, encoded: bool) -> list[Finding]:
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
    if tensor.data is not None and tensor.dtype not in ("string", "int4"):
        expected = elements * np.dtype(tensor.dtype).itemsize
        if len(tensor.data) != expected:
            return error(f"holds {len(tensor.data)} bytes, its shape needs {expected}; damaged")
    if tensor.scales.size:
        if not np.isfinite(tensor.scales).all() or (tensor.scales <= 0).any():
            return error("scale is zero, negative or not finite; calibrate with real images")
        # TFLM's compressor leaves the scales of the weights with their packed form.
        if not encoded and not _scales_fit(tensor):
            return error("number of scales differs from the channels; damaged")
    return []


def _scales_fit(tensor: Tensor) -> bool:
    if tensor.scales.size == 1:
        return True
    inside = 0 <= tensor.axis < len(tensor.shape)
    return inside and tensor.scales.size == tensor.shape[tensor.axis]


def _check_operator(operator: Operator) -> list[Finding]:
    own = op_of(operator).checks
    checks: list[Check] = [_check_support, *own, _check_options, _check_scales, _check_rule]
    try:
        # Whoever counts work later needs the same tensors, dimensions and options.
        cost(operator)
        found = [result for check in checks if (result := check(operator)) is not None]
    except (AttributeError, IndexError, TypeError, ValueError, ZeroDivisionError):
        found = [("error", "lacks a tensor, dimension or option that it needs; damaged")]
    return [Finding(severity, _name(operator), message) for severity, message in found]


def _check_support(operator: Operator) -> tuple[Severity, str] | None:
    if supported(operator):
        return None
    dtype = lacking_type(operator) if op_of(operator).tflm else None
    kernel = f"{dtype} kernel" if dtype else "kernel"
    return "unsupported", f"TensorFlow Lite Micro has no {kernel} for it; replace the layer"


def _check_options(operator: Operator) -> tuple[Severity, str] | None:
    op = op_of(operator)
    if op.options is None:
        return None
    needed = operator.inputs[: len(op.inputs)]
    if len(needed) < len(op.inputs) or None in needed or not operator.outputs:
        return "error", "lacks an input or output; damaged"
    if operator.options is None:
        return None
    if type(operator.options).__name__ == f"{op.options}T":
        return None
    return "error", "has the options of another operator; damaged"


def _check_scales(operator: Operator) -> tuple[Severity, str] | None:
    if not op_of(operator).quantization.needed or operator.outputs[0].dtype != "int8":
        return None
    for tensor in (*operator.inputs, *operator.outputs):
        if tensor is None or tensor.constant or tensor.dtype != "int8":
            continue
        if not tensor.scales.size or not tensor.zero_points.size:
            return "error", f"'{tensor.name}' has no scale or zero point; damaged"
    return None


def _check_rule(operator: Operator) -> tuple[Severity, str] | None:
    op = op_of(operator)
    broken = op.quantization.broken_by(operator, op.weights)
    return None if broken is None else ("warning", f"{broken}; convert it again")


def _name(operator: Operator) -> str:
    layer = operator.outputs[0].layer if operator.outputs else "?"
    return f"operator {operator.index} {operator.opcode} (layer '{layer}')"
