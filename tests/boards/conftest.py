"""Firmware without a network, built once a board for all tests here, and booted with raw access."""

import contextlib
import dataclasses
import functools
import socket
import subprocess

import pytest

from tinyseg import boards
from tinyseg.boards import emulator
from tinyseg.boards.build import compile_firmware
from tinyseg.runtime import protocol
from tinyseg.runtime.device import Device, SocketPort


@pytest.fixture(scope="session")
def selftest(tmp_path_factory):
    """Return a function that builds the self-test of a board, once, in ``NAME`` below a folder."""
    folder = tmp_path_factory.mktemp("selftest")
    return functools.cache(lambda name: compile_firmware(boards.load_board(name), folder / name))


@dataclasses.dataclass
class Machine:
    """An emulated board whose line takes any bytes, not only requests."""

    board: boards.Board
    port: SocketPort
    device: Device
    lines: list[str]
    _received: bytes = b""

    def exchange(self, sent):
        """Send bytes; return the frame that comes back."""
        self.port.write(sent)
        while True:
            line, zero, rest = self._received.partition(b"\0")
            if not zero:
                self._received += self.port.read()
                continue
            self._received = rest
            if line:
                return protocol.decode(line)


@contextlib.contextmanager
def _boot(board, elf):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        host, port = server.getsockname()
        command = emulator.command(board, elf, f"tcp:{host}:{port}")
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        try:
            with server.accept()[0] as connection:
                lines = []
                line = SocketPort(connection)
                device = Device(
                    line,
                    board.name,
                    quick=60,
                    instructions=emulator.instructions,
                    log=lines.append,
                )
                yield Machine(board, line, device, lines)
        finally:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def boot():
    """Return a context manager that boots an ELF file on a board, as a :class:`Machine`."""
    return _boot


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Firmware is built below the working directory."""
    path = tmp_path_factory.mktemp("firmware")
    with contextlib.chdir(path):
        yield path
