"""A ``.tflite`` file as C++ source: content, arena, quantization, operators."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import re
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

import tinyseg
from tinyseg import files
from tinyseg.boards.point_source import PointSource
from tinyseg.errors import InputError
from tinyseg.plan import PreprocessingPlan
from tinyseg.preprocessing import normalise
from tinyseg.runtime.meaning import Head, Meaning
from tinyseg.runtime.runner import TensorSpec, border, has_channels_first
from tinyseg.tflite import Operator, TfliteModel
from tinyseg.tflite.arena.memory import predict_arena
from tinyseg.tflite.border import image_shape
from tinyseg.tflite.lint import usable
from tinyseg.tflite.ops.registry import op_of, registration

FILES = ("model_data.h", "model_data.cc", "model_ops.h")
# For what differs between two runs of the allocator: alignment of the arena itself.
MARGIN = 1024
_NAME_LENGTH = 64
_TYPES = {
    "int8": (1, "int8_t"),
    "int16": (2, "int16_t"),
    "float32": (3, "float"),
    "int32": (4, "int32_t"),
}


@dataclasses.dataclass(frozen=True)
class ArenaSize:
    """Bytes of tensor arena to reserve.

    Attributes:
        measured: what an interpreter used, or is predicted to use.
        size: what to reserve, a multiple of 16 as the arena is aligned to.
        source: where it was measured and the margin, or that it is predicted.
    """

    measured: int
    size: int
    source: str

    @classmethod
    def on_device(cls, measured: int, board: str, needed: int) -> ArenaSize:
        """Return the size for a device with the kernels that were measured.

        Args:
            measured: bytes in use there.
            board: its name.
            needed: bytes without which TFLM cannot plan the arena.
        """
        return cls(
            measured,
            _round_up(max(measured, needed) + MARGIN),
            f"{measured:,} measured on {board}, {MARGIN:,} of margin",
        )

    @classmethod
    def on_host(cls, measured: int, model: TfliteModel) -> ArenaSize:
        """Return the size for a device whose optimised kernels want scratch of their own."""
        margin = MARGIN + _kernel_scratch(model)
        return cls(
            measured,
            _round_up(max(measured, predict_arena(model).needed) + margin),
            f"{measured:,} measured in TFLM on the host, {margin:,} of margin for other kernels",
        )

    @classmethod
    def predicted(cls, model: TfliteModel, target: str, board: str) -> ArenaSize:
        """Return the size that is predicted, with no margin.

        Args:
            model: a linted file.
            target: build of TFLM, see :func:`tinyseg.tflite.arena.memory.predict_arena`.
            board: for which that is, for people.

        Raises:
            InputError: the file lacks what a kernel needs.
        """
        plan = predict_arena(model, target)
        return cls(plan.total, _round_up(plan.needed), f"{plan.total:,} predicted for {board}")


def _round_up(size: int) -> int:
    return -(-size // 16) * 16


def _kernel_scratch(model: TfliteModel) -> int:
    """Return the most that CMSIS-NN asks for one convolution: two columns of int16, and sums."""

    def scratch(operator: Operator) -> int:
        if not op_of(operator).convolves:
            return 0
        weights = operator.input(1)
        return 4 * weights.elements // weights.shape[0] + 8 * weights.shape[0]

    return max(map(scratch, model.operators), default=0)


def export(
    model: TfliteModel,
    preprocessing: PreprocessingPlan | None,
    arena: ArenaSize,
    folder: str | Path,
    name: str,
    meaning: Meaning | None = None,
) -> list[Path]:
    """Write ``model_data.h``, ``model_data.cc`` and ``model_ops.h``; the same bytes every time.

    Args:
        model: any file that TFLM can run, with one input.
        preprocessing: becomes the table of input values and the operating point; None for an
            input that is no image, whose table is the stored values themselves.
        arena: what to reserve.
        folder: where to write; files that would not change are left alone.
        name: of the model, for people.
        meaning: of the output; None for probabilities.

    Returns:
        The paths.

    Raises:
        InputError: the file has an operator that the firmware lacks, or is otherwise unusable.
    """
    usable(model, floats=True)
    values = {
        **common_values(model, preprocessing, name, meaning),
        "length": len(model.content),
        "arena_source": arena.source,
        "arena_measured": arena.measured,
        "arena_size": arena.size,
        "registrations": _registrations(model),
        "custom": any(op.custom and not op.opcode.startswith("TFLM_") for op in model.operators),
        "content": numbers(model.content, "0x%02x"),
    }
    return render({name: Path(folder) / name for name in FILES}, values)


def common_values(
    model: TfliteModel,
    preprocessing: PreprocessingPlan | None,
    name: str,
    meaning: Meaning | None = None,
) -> dict[str, Any]:
    """Return what the templates write of a model for any engine, see :func:`export`.

    Raises:
        InputError: it has not one input, or its mask is not the first output.
    """
    meaning = meaning or Meaning(Head.SIGMOID)
    source, target = _border(model, meaning, preprocessing)
    return {
        # It becomes a string and a comment in C++.
        "name": re.sub(r"[^\w.-]", "_", name, flags=re.ASCII)[:_NAME_LENGTH],
        "version": tinyseg.__version__,
        **identity(model),
        "input": _tensor(model, source),
        "output": _tensor(model, target),
        **_image_values(model, source, target, preprocessing, meaning),
        "operator_count": len(model.operators),
    }


def identity(model: TfliteModel) -> dict[str, Any]:
    """Return checksums of a file as the templates write them."""
    digest = hashlib.sha256(model.content)
    return {
        "crc32": zlib.crc32(model.content),
        "sha256": digest.hexdigest(),
        "sha256_bytes": numbers(digest.digest(), "0x%02x"),
    }


def render(places: Mapping[str, Path], values: dict[str, Any]) -> list[Path]:
    """Write templates, by name, to their places; files that would not change are left alone.

    Returns:
        The places.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tinyseg.boards"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    for name, path in places.items():
        text = environment.get_template(name).render(values)
        if not path.is_file() or path.read_text() != text:
            files.write_text(path, text)
    return list(places.values())


def _border(
    model: TfliteModel, meaning: Meaning, preprocessing: PreprocessingPlan | None
) -> tuple[TensorSpec, TensorSpec]:
    """Return input, as height, width and channels, and output of a file that firmware can serve."""
    if meaning.output:
        raise InputError(
            f"{model.path}: its mask is output {meaning.output}; firmware reads the first"
        )
    source, target = border(model)
    if preprocessing is None:
        elements = math.prod(source.shape)
        return dataclasses.replace(source, shape=(1, 1, 1, elements)), target
    shape = image_shape(source.shape)
    if shape is None:
        raise InputError(f"{model.path}: the input is not one image (1, height, width, channels)")
    return dataclasses.replace(source, shape=(1, *shape)), target


def _image_values(
    model: TfliteModel,
    source: TensorSpec,
    target: TensorSpec,
    preprocessing: PreprocessingPlan | None,
    meaning: Meaning,
) -> dict[str, Any]:
    """Return the input of each pixel value and what is foreground, with comments."""
    threshold = 0.5 if preprocessing is None else preprocessing.threshold
    table = input_table(model, source, preprocessing)
    bound = meaning.bound(threshold)
    point = PointSource.of(model.path, preprocessing, meaning, target)
    first = preprocessing is not None and has_channels_first(border(model)[0])
    return {
        "point": point,
        "point_units": numbers(point.units),
        "table_text": "the stored values in order"
        if preprocessing is None
        else f"pixel * {preprocessing.scale} + {preprocessing.offset}, quantized",
        "threshold_text": "none" if bound is None else f"{meaning.head} > {bound}",
        "image_white": _image_white(model),
        "input_table": numbers(table.ravel().tolist()),
        "input_tables": table.size // 256,
        "channels_first": first,
        "input_place": np.dtype(source.dtype).itemsize * (1 if first else source.shape[3]),
        "mask_threshold": mask_threshold(model, target, bound),
    }


def _image_white(model: TfliteModel) -> int:
    """Return what was white in the images that a network learned from, as its file says."""
    white = (model.plan.get("whites") or {}).get("whole", 255)
    known = isinstance(white, int | float) and 0 < white < 1 << 24
    return round(white) if known else 255


def input_table(
    model: TfliteModel, source: TensorSpec, preprocessing: PreprocessingPlan | None
) -> np.ndarray:
    """Return the stored input of each pixel value 0..255.

    Returns:
        ``(256,)``; ``(channels, 256)`` where each channel has a scale or an offset of its own.
    """
    if preprocessing is None:
        return np.arange(256).astype(np.uint8).view(np.int8).astype(source.dtype)
    pixels = np.arange(256, dtype=np.uint8)
    if np.ndim(preprocessing.scale) or np.ndim(preprocessing.offset):
        return source.quantize(normalise(pixels[:, None], preprocessing)).T
    return source.quantize(normalise(pixels, preprocessing))


def mask_threshold(model: TfliteModel, target: TensorSpec, bound: float | None) -> float | int:
    """Return the largest stored output that is not above a real value; None is above all.

    Raises:
        InputError: all outputs are above it.
    """
    if target.dtype == "float32":
        return float(np.finfo(np.float32).max if bound is None else np.float32(bound))
    limits = np.iinfo(target.dtype)
    if bound is None:
        return int(limits.max)
    if target.dtype == "int32":
        return math.floor(bound / target.scale) + target.zero_point
    stored = np.arange(limits.min, limits.max + 1).astype(target.dtype)
    below = stored[~(target.dequantize(stored) > bound)]
    if not below.size:
        raise InputError(f"{model.path}: every output is above the threshold {bound}")
    return int(below.max())


def _tensor(model: TfliteModel, specification: TensorSpec) -> dict[str, Any]:
    if specification.dtype not in _TYPES:
        cure = "end the network before the operator that makes it"
        if specification.dtype == "uint8":
            cure = "'tinyseg lower' turns uint8 into int8"
        raise InputError(
            f"{model.path}: input or output of type {specification.dtype}; the firmware takes "
            f"{', '.join(_TYPES)}; {cure}"
        )
    code, ctype = _TYPES[specification.dtype]
    return {
        **dataclasses.asdict(specification),
        # A shortest decimal that reads back as the same float, and as one in C++.
        "scale": np.format_float_scientific(np.float32(specification.scale), unique=True),
        "code": code,
        "ctype": ctype,
        "elements": int(np.prod(specification.shape)),
    }


def _registrations(model: TfliteModel) -> list[str]:
    operators: dict[str, list[Operator]] = {}
    for operator in model.operators:
        operators.setdefault(operator.opcode, []).append(operator)
    calls = []
    for opcode, uses in sorted(operators.items()):
        call = registration(uses)
        if call is None:
            raise InputError(f"{model.path}: the firmware has no operator {opcode}")
        calls.append(call)
    return calls


def numbers(values: Iterable[int | float], form: str = "%s") -> str:
    """Return numbers as C++ writes them in a list, 16 a line."""
    texts = [form % value for value in values]
    rows = (", ".join(texts[i : i + 16]) for i in range(0, len(texts), 16))
    return ",\n".join(f"    {row}" for row in rows)
