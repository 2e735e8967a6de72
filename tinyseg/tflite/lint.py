"""Hold a parsed ``.tflite`` file against what TensorFlow Lite Micro can run."""

from __future__ import annotations

import dataclasses

import numpy as np

from tinyseg.errors import InputError
from tinyseg.tflite.model import TfliteModel
from tinyseg.tflite.nodes import Operator, Tensor
from tinyseg.tflite.ops.checks import Check, Severity
from tinyseg.tflite.ops.registry import cost, missing_kernel, op_of

_INTEGERS = {"int8", "int16", "uint8"}
_WITHOUT_NUMPY = ("string", "int4", "resource")
# No Cortex-M addresses more; a larger tensor is damage.
_MAX_TENSOR_ELEMENTS = 2**31 - 1
# A .tflite file cannot be quantized afterwards; the network that it was made of can.
_QUANTIZE = "'tinyseg quantize NETWORK.keras --data IMAGES' makes int8 of the Keras network"
NOT_QUANTIZED = f"float32, not quantized; {_QUANTIZE}"
_FLOAT16 = (
    "float16 weights, for which TensorFlow Lite Micro has no kernels; use full-integer "
    f"quantization: {_QUANTIZE}"
)
_DYNAMIC_RANGE = (
    "int8 weights with float32 activations (dynamic-range quantization); use full-integer "
    f"quantization: {_QUANTIZE}"
)
_UINT8 = (
    "uint8 activations (quantization of TensorFlow 1), for which TensorFlow Lite Micro has no "
    f"kernels; {_QUANTIZE}"
)
_VELA = "compiled by Vela for an Ethos-U, which alone runs it; give the file that Vela was given"
_WITH_STEPS = ("Conv2DOptions", "DepthwiseConv2DOptions", "TransposeConvOptions", "Pool2DOptions")
# Options that are at least 1 where an operator has them.
_STEPS = (
    *("strideH", "strideW", "dilationHFactor", "dilationWFactor"),
    *("filterHeight", "filterWidth"),
)


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
    if "ethos-u" in model.opcodes:
        return [Finding("error", "model", _VELA)]
    findings = _check_graph(model) + _check_kind(model)
    decoders = [operator for operator in model.operators if op_of(operator).decodes]
    encoded = {t.index for op in decoders for t in op.inputs if t is not None}
    used = {t.index for op in model.operators for t in (*op.inputs, *op.outputs) if t is not None}
    used |= {tensor.index for tensor in (*model.inputs, *model.outputs)}
    for tensor in model.tensors:
        # What no operator reads or makes, such as an LSTM's unused intermediates, may be empty.
        if tensor.index in used or 0 not in tensor.shape:
            wrong = _check_tensor(tensor, tensor.index in encoded)
            findings += wrong or (_check_batch(tensor) if tensor in model.inputs else [])
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


def deployable(model: TfliteModel) -> None:
    """Refuse a file that no firmware of ours runs.

    Raises:
        InputError: as of :func:`usable`, or neither TFLM nor our firmware has a kernel.
    """
    usable(model)
    judged = [(op, _check_support(op)) for op in model.operators if not op_of(op).registration]
    lacking = [(op, found[1]) for op, found in judged if found is not None]
    if lacking:
        operator, message = lacking[0]
        more = f" (and {len(lacking) - 1} more)" if len(lacking) > 1 else ""
        raise InputError(f"{model.path}: {operator_name(operator)}: {message}{more}")


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
    known |= {tensor.index for tensor in model.tensors if tensor.variable}
    for operator in model.operators:
        for tensor in operator.inputs:
            if tensor is not None and tensor.index not in known:
                message = f"reads '{tensor.name}' before it is computed"
                findings.append(Finding("error", operator_name(operator), message))
        for tensor in operator.outputs:
            if tensor.constant:
                message = f"writes to the constant '{tensor.name}'; damaged"
                findings.append(Finding("error", operator_name(operator), message))
        known |= {tensor.index for tensor in operator.outputs}
    stored = model.plan.get("checksum")
    if stored is not None and stored != model.checksum():
        findings.append(Finding("error", "model", "content differs from its checksum; restore it"))
    return findings


def _check_kind(model: TfliteModel) -> list[Finding]:
    """Refuse files that are not of integers, whatever their single operators are."""
    tensors = [t for op in model.operators for t in (*op.inputs, *op.outputs) if t is not None]
    computed = {tensor.dtype for tensor in tensors if not tensor.constant}
    stored = {tensor.dtype for tensor in tensors if tensor.constant}
    message = None
    if "float16" in computed | stored:
        message = _FLOAT16
    elif "float32" in computed and not computed & _INTEGERS:
        message = _DYNAMIC_RANGE if stored & {"int8", "int4"} else NOT_QUANTIZED
    elif "uint8" in computed and not computed & {"int8", "int16"}:
        message = _UINT8
    return [] if message is None else [Finding("error", "model", message)]


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
    if tensor.data is not None and tensor.dtype not in _WITHOUT_NUMPY:
        expected = elements * np.dtype(tensor.dtype).itemsize
        if len(tensor.data) != expected:
            return error(f"holds {len(tensor.data)} bytes, its shape needs {expected}; damaged")
    if tensor.scales.size:
        if not np.isfinite(tensor.scales).all() or (tensor.scales <= 0).any():
            return error("scale is zero, negative or not finite; calibrate with real images")
        # TFLM's compressor leaves the scales of the weights with their packed form.
        if not encoded and not _scales_fit(tensor):
            return error("number of scales differs from the channels; damaged")
        if not encoded and not tensor.zero_points.size:
            return error("has a scale but no zero point; damaged")
    return []


def _check_batch(tensor: Tensor) -> list[Finding]:
    """Refuse an input of several images; a row of numbers may come without a batch."""
    if len(tensor.shape) < 3 or tensor.shape[0] == 1:
        return []
    message = f"{tensor.shape} is a batch of {tensor.shape[0]}; export with a batch of 1"
    return [Finding("error", f"input '{tensor.name}'", message)]


def _scales_fit(tensor: Tensor) -> bool:
    if tensor.scales.size == 1:
        return True
    if len(tensor.shape) == 1:
        # Biases may name the axis of their kernel's channels.
        return tensor.scales.size == tensor.shape[0]
    inside = 0 <= tensor.axis < len(tensor.shape)
    return inside and tensor.scales.size == tensor.shape[tensor.axis]


def _check_operator(operator: Operator) -> list[Finding]:
    own = op_of(operator).checks
    checks: list[Check] = [_check_support, _check_steps, *own]
    checks += [_check_options, _check_scales, _check_rule]
    try:
        # Whoever counts work later needs the same tensors, dimensions and options.
        cost(operator)
        found = [result for check in checks if (result := check(operator)) is not None]
    except (AttributeError, IndexError, TypeError, ValueError, ZeroDivisionError):
        found = [("error", "lacks a tensor, dimension or option that it needs; damaged")]
    return [Finding(severity, operator_name(operator), message) for severity, message in found]


def _check_support(operator: Operator) -> tuple[Severity, str] | None:
    kernel = missing_kernel(operator)
    # Of an element type that nobody knows its own finding says so.
    if kernel is None or kernel.startswith("type_"):
        return None
    return "unsupported", f"TensorFlow Lite Micro has no {kernel} for it; {op_of(operator).instead}"


def _check_steps(operator: Operator) -> tuple[Severity, str] | None:
    if any(getattr(operator.options, name, 1) < 1 for name in _STEPS):
        return "error", "has a stride, dilation or window below 1; damaged"
    return None


def _check_options(operator: Operator) -> tuple[Severity, str] | None:
    op = op_of(operator)
    if op.options is None:
        return None
    needed = operator.inputs[: len(op.inputs)]
    if len(needed) < len(op.inputs) or None in needed or not operator.outputs:
        return "error", "lacks an input or output; damaged"
    if operator.options is None:
        return ("error", "lacks its options; damaged") if op.options in _WITH_STEPS else None
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


def operator_name(operator: Operator) -> str:
    """Return an operator in the words of a message: number, kind and layer."""
    layer = operator.outputs[0].layer if operator.outputs else "?"
    return f"operator {operator.index} {operator.opcode} (layer '{layer}')"
