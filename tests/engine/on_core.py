"""Programs on emulated boards: one image a board, which takes any programs."""

from __future__ import annotations

import socket
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tinyseg import boards
from tinyseg.boards import emulator, program_source
from tinyseg.boards.build import compile_firmware
from tinyseg.engine.compiled import Compiled, compiled
from tinyseg.engine.cores import Core, core_of
from tinyseg.engine.program import Kernel
from tinyseg.tflite import TfliteModel

_MOST = 1 << 23
_ANSWER = struct.Struct("<5I")
_OPERATORS = struct.Struct("<128I")
_SECONDS = 300.0


class Request(NamedTuple):
    """A program, and int8 arrays for its inputs."""

    program: Compiled
    inputs: Sequence[np.ndarray]


class Answer(NamedTuple):
    """Int8 outputs of a program, and the instructions that it took, in all and by operator."""

    outputs: list[np.ndarray]
    instructions: int
    by_operator: list[int]


class CoreRunner:
    """Runs programs on an emulated board; building its image takes seconds.

    Args:
        name: the board's.
        folder: for build files.

    Attributes:
        core: class of the board's core.
        elf: the image.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self._board, self._folder = boards.load_board(name), folder
        self.core = core_of(self._board.core)
        arena = self._board.region("ARENA")
        self._place = arena.origin + arena.length - _MOST
        sources = folder / "generated"
        sources.mkdir(parents=True, exist_ok=True)
        for file, content in _table(self.core, self._place).items():
            (sources / file).write_text(content)
        self.elf = compile_firmware(self._board, folder / "cmake", sources).elf

    def compiled(self, content: bytes) -> Compiled:
        """Return a file compiled for the core."""
        return compiled(TfliteModel.parse(content), core=self.core)

    def run(self, requests: Sequence[Request]) -> list[Answer]:
        """Run programs after one another, each once."""
        content = b"".join(_aligned(r.program.content) + _aligned(_joined(r)) for r in requests)
        assert len(content) < _MOST, f"{len(content)} bytes of programs are too many"
        file = self._folder / "requests.bin"
        file.write_bytes(content + bytes(16))
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(_SECONDS)
            host, port = server.getsockname()
            command = emulator.command(self._board, self.elf, f"tcp:{host}:{port}")
            command += ["-device", f"loader,file={file},addr={self._place:#x},force-raw=on"]
            process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
            try:
                with server.accept()[0] as connection:
                    connection.settimeout(_SECONDS)
                    return [self._answer(request, connection) for request in requests]
            finally:
                process.kill()
                process.wait()

    def _answer(self, request: Request, connection: socket.socket) -> Answer:
        code, detail, ticks, damaged, size = _ANSWER.unpack(_read(connection, _ANSWER.size))
        by_operator = _OPERATORS.unpack(_read(connection, _OPERATORS.size))
        content = _read(connection, size)
        assert code == 0, f"status {code} ({detail})"
        assert damaged == 0, f"{damaged} bytes beyond the program's memory were written"
        outputs, at = [], 0
        for tensor in request.program.integer.outputs:
            values = np.frombuffer(content, np.int8, tensor.elements, at)
            outputs.append(values.reshape(tensor.shape))
            at += tensor.elements
        told = [emulator.instructions(t, self._board.clock_hz) for t in (ticks, *by_operator)]
        return Answer(outputs, told[0], told[1:])


def _joined(request: Request) -> bytes:
    return b"".join(np.ascontiguousarray(a, np.int8).tobytes() for a in request.inputs)


def _aligned(part: bytes) -> bytes:
    return struct.pack("<4I", len(part), 0, 0, 0) + part + bytes(-len(part) % 16)


def _read(connection: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        part = connection.recv(size - len(found))
        assert part, "the emulator closed the connection"
        found += part
    return found


def _table(core: Core, place: int) -> dict[str, str]:
    """Return source files of the table of all kernels that a class of cores has."""
    # Cores with Helium have the DSP extension, too.
    own = {core, Core.DSP} if core is Core.MVE else {core}
    rooms = {other.value.upper() for other in Core if other not in own}
    kernels = [kernel for kernel in Kernel if kernel.name.split("_")[0] not in rooms]
    includes = "".join(f'#include "{header}"\n' for header in program_source.headers(kernels))
    functions = ", ".join(program_source.functions(kernels))
    kind = "const tinyseg::engine::KernelTable kKernels"
    return {
        "kernel_table.h": f"""#include "engine/kernel.h"
extern {kind};
constexpr uintptr_t kRequests = {place:#x};  // Where the emulator loads them.
""",
        "kernel_table.cc": f'#include "kernel_table.h"\n{includes}{kind} = {{{{{functions}}}}};\n',
    }
