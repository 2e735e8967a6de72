"""Our own engine on this machine: the sources of the firmware, compiled once and called here."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tinyseg.engine.compiled import Compiled, compiled_here
from tinyseg.errors import InputError
from tinyseg.places import cache_folder, firmware_folder
from tinyseg.runtime.runner import IntegerBorder, border
from tinyseg.tflite import TfliteModel

_SOURCES = (
    *("engine/*.cc", *(f"engine/kernels/{name}/*.cc" for name in ("portable", "dsp", "host"))),
    *("core/crc32.cc", "ops/binary_conv.cc"),
)
_PARTS = ("core", "engine", "ops")
_FLAGS = ("-std=c++17", "-O3", "-march=native", "-fno-exceptions", "-fno-rtti", "-shared", "-fPIC")
_COMPILERS = ("c++", "g++", "clang++")
_ALIGNMENT = 16
# What Linux calls the instructions that a processor has, on x86 and on Arm.
_FEATURES = ("flags", "features")


class _Status(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint32),
        ("detail", ctypes.c_uint32),
        ("text", ctypes.c_char_p),
    )


_Trace = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32, ctypes.POINTER(ctypes.c_uint8)
)


class HostProgram:
    """A compiled file in this machine's memory, of any number of inputs and outputs.

    Args:
        compiled: what to run.

    Raises:
        InputError: the runtime refuses it, or no C++ compiler is there.
    """

    def __init__(self, compiled: Compiled) -> None:
        self.compiled = compiled
        self._library = library()
        self._memory = [_aligned(size) for size in compiled.placement.regions]
        self._program = _aligned(len(compiled.content))
        self._program[:] = np.frombuffer(compiled.content, np.uint8)
        self._engine = _aligned(self._library.tinyseg_engine_bytes())
        sizes = (ctypes.c_uint64 * len(self._memory))(*(part.size for part in self._memory))
        self._call(
            "start",
            _place(self._program),
            ctypes.c_uint64(self._program.size),
            _pointers(self._memory),
            sizes,
            len(self._memory),
        )

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Run one set of int8 inputs and return all int8 outputs, as the file shapes them."""
        given, made = self._arrays(inputs)
        self._call("run", _pointers(given), _pointers(made), ctypes.c_uint64(1))
        return made

    def trace(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Run one set of int8 inputs and return what each node of the program computed.

        Returns:
            Int8 arrays ``(rows, width, channels)``, zeros in rows that nobody needs.
        """
        nodes = self.compiled.program.nodes
        made = [np.zeros((node.rows, node.row_bytes), np.int8) for node in nodes]

        def keep(_: int, node: int, row: int, content: object) -> None:
            made[node][row] = np.ctypeslib.as_array(content, (nodes[node].row_bytes,)).view(np.int8)

        given, outputs = self._arrays(inputs)
        self._call("trace", _pointers(given), _pointers(outputs), _Trace(keep), None)
        return [a.reshape(n.rows, n.width, -1) for a, n in zip(made, nodes, strict=True)]

    def used(self, inputs: Sequence[np.ndarray]) -> list[int]:
        """Return how many bytes of each region one set of inputs uses: to the last one written.

        They are rounded up to 16, as rows are.
        """
        last = [0] * len(self._memory)
        for paint in (0x5A, 0xA5):
            for part in self._memory:
                part[:] = paint
            self.run(inputs)
            written = [np.flatnonzero(part != paint) for part in self._memory]
            last = [max(*pair) for pair in zip(last, map(_end, written), strict=True)]
        return [-(-end // _ALIGNMENT) * _ALIGNMENT for end in last]

    def _arrays(self, inputs: Sequence[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
        file = self.compiled.integer
        given = [
            np.ascontiguousarray(values, tensor.dtype).reshape(tensor.shape)
            for values, tensor in zip(inputs, file.inputs, strict=True)
        ]
        return given, [np.empty(tensor.shape, tensor.dtype) for tensor in file.outputs]

    def _call(self, name: str, *arguments: object) -> None:
        status = _Status()
        function = getattr(self._library, f"tinyseg_engine_{name}")
        function(_place(self._engine), *arguments, ctypes.byref(status))
        if status.code:
            text = (status.text or b"").decode()
            raise InputError(f"{self.compiled.model.path}: {text} ({status.detail:,})")


class EngineRunner:
    """Runs an int8 file on the engine; its bytes are those of TensorFlow Lite Micro.

    Args:
        model: parsed file, or what it was compiled to.
        progress: called after each image.
        output: which of the outputs :meth:`run` returns.

    Raises:
        InputError: the engine cannot run the file, or no C++ compiler is there.
    """

    kernels = "tinyseg's engine"

    def __init__(
        self,
        model: TfliteModel | Compiled,
        *,
        progress: Callable[[], None] = lambda: None,
        output: int = 0,
    ) -> None:
        made = compiled_here(model) if isinstance(model, TfliteModel) else model
        # Files may have floats at their border, programs have not.
        self._border = IntegerBorder(made.model, made.integer)
        self.input, self.output = border(made.model, output)
        self._program, self._progress, self._output = HostProgram(made), progress, output

    def run(self, inputs: np.ndarray) -> np.ndarray:
        """See :meth:`tinyseg.runtime.Runner.run`."""
        return self.run_all(inputs)[self._output]

    def run_all(self, inputs: np.ndarray) -> list[np.ndarray]:
        """Run stored inputs ``(images, ...)`` and return what each output stores of them."""
        ends = self._border.outputs
        outputs = [np.empty((len(inputs), *end.shape[1:]), end.dtype) for end in ends]
        for row, values in enumerate(inputs):
            found = self._program.run([self.stored(values)])
            for number, (kept, made) in enumerate(zip(outputs, found, strict=True)):
                kept[row] = self._border.outside(made, number).reshape(kept.shape[1:])
            self._progress()
        return outputs

    @property
    def integers(self) -> TfliteModel:
        """The file of integers that was compiled."""
        return self._program.compiled.integer

    def stored(self, values: np.ndarray) -> np.ndarray:
        """Return one input of the file as the file of integers takes it."""
        return self._border.inside(values)

    def tensors(self, image: np.ndarray) -> dict[str, np.ndarray]:
        """Return what the nodes make of one stored input, by the names of their tensors.

        Returns:
            int8 ``(values,)``: of rows that nobody needs, which come last, there are none. What
            the engine does not compute as a tensor of its own is missing.
        """
        rows = self._program.trace([self.stored(image)])
        made = self._program.compiled
        lives = made.placement.schedule.lives
        return {
            node.name: values[: life.computed].ravel()
            for node, values, life in zip(made.program.nodes, rows, lives, strict=True)
            if node.name and node.constant is None
        }


@functools.cache
def library() -> ctypes.CDLL:
    """Return the engine as a library of this machine; it is compiled when its sources change.

    Raises:
        InputError: no C++ compiler is there, or it fails.
    """
    root = firmware_folder()
    sources = sorted(path for pattern in _SOURCES for path in root.glob(pattern))
    headers = sorted(path for part in _PARTS for path in root.glob(f"{part}/**/*.h"))
    digest = hashlib.sha256(" ".join((*_FLAGS, _processor())).encode())
    for path in (*sources, *headers):
        digest.update(path.read_bytes())
    target = cache_folder() / "engine" / f"{digest.hexdigest()[:16]}.so"
    if not target.is_file():
        _compile(root, sources, target)
    loaded = ctypes.CDLL(str(target))
    loaded.tinyseg_engine_bytes.restype = ctypes.c_uint32
    for name in ("start", "run", "trace"):
        getattr(loaded, f"tinyseg_engine_{name}").restype = None
    return loaded


def _processor() -> str:
    """Name what a processor can do: machines that share a folder may not share instructions."""
    lines = Path("/proc/cpuinfo")
    text = lines.read_text() if lines.is_file() else platform.processor()
    features = [line for line in text.splitlines() if line.lower().startswith(_FEATURES)]
    return " ".join((platform.machine(), *features[:1]))


def _compile(root: Path, sources: list[Path], target: Path) -> None:
    found = next((name for name in _COMPILERS if shutil.which(name)), None)
    if found is None:
        raise InputError("no C++ compiler is there; install g++ (Debian's package g++)")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        made = Path(folder) / target.name
        command = [found, *_FLAGS, "-I", str(root), *map(str, sources), "-o", str(made)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            lines = [line for line in result.stderr.splitlines() if "error" in line]
            raise InputError(f"{found} cannot compile the engine ({(lines or ['no reason'])[0]})")
        made.replace(target)


def _end(written: np.ndarray) -> int:
    return int(written[-1]) + 1 if written.size else 0


def _aligned(size: int) -> np.ndarray:
    """Return bytes at an address that the engine takes."""
    raw = np.zeros(size + _ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % _ALIGNMENT
    return raw[start : start + size]


def _place(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def _pointers(arrays: list[np.ndarray]) -> ctypes.Array:
    return (ctypes.c_void_p * len(arrays))(*(array.ctypes.data for array in arrays))
