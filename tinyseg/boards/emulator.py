"""Boards that QEMU emulates, with a deterministic count of instructions."""

from __future__ import annotations

import contextlib
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tinyseg.boards.board import Board, load_board
from tinyseg.boards.tools import need
from tinyseg.errors import InputError
from tinyseg.runtime.device import Device, SocketPort

# With -icount shift=5, each instruction takes 2^5 ns of the guest's time.
_SHIFT = 5
_BOOT_SECONDS = 30
# An emulated processor may have to share this machine's with much else.
_QUICK_SECONDS = 60.0


def instructions(ticks: int, clock_hz: int) -> int:
    """Return the instructions that an emulated processor ran in so many of its clock ticks.

    These are instructions, not cycles: memory has no latency here, and a vector instruction
    counts as one.
    """
    return round(ticks * (10**9 / clock_hz) / 2**_SHIFT)


def emulated(board: Board) -> Board:
    """Return the board itself if QEMU has it, else the emulated board with the same core.

    Raises:
        InputError: there is none, or no firmware for the board.
    """
    if board.machine:
        return board
    board.need_port()
    if board.emulated_by:
        return load_board(board.emulated_by)
    raise InputError(f"{board.name}: QEMU has no board with its {board.core} core")


def command(board: Board, elf: Path, serial: str) -> list[str]:
    """Return QEMU's command line; ``serial`` is one of its character devices."""
    if board.machine is None:
        raise InputError(f"{board.name}: QEMU does not have this board; see 'tinyseg boards'")
    return [
        need("qemu-system-arm"),
        *("-M", board.machine, "-display", "none", "-monitor", "none", "-nic", "none"),
        *("-icount", f"shift={_SHIFT}", "-serial", serial, "-kernel", str(elf)),
    ]


@contextlib.contextmanager
def start(board: Board, elf: Path, timeout: float = 600.0) -> Iterator[Device]:
    """Boot firmware and connect to its serial port; QEMU ends with the context.

    Args:
        board: a board with a machine.
        elf: the firmware.
        timeout: seconds that an inference may take.

    Raises:
        InputError: QEMU is missing or does not start.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()
        # QEMU connects to us, so that no byte is sent before somebody listens.
        arguments = command(board, elf, f"tcp:{host}:{port}")
        process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        try:
            with _accept(server, process, board) as connection:
                yield Device(
                    SocketPort(connection),
                    f"{board.name} (emulated)",
                    timeout=timeout,
                    quick=_QUICK_SECONDS,
                    instructions=instructions,
                )
        finally:
            process.kill()
            process.communicate()


def _accept(server: socket.socket, process: subprocess.Popen, board: Board) -> socket.socket:
    server.settimeout(0.2)
    for _ in range(int(_BOOT_SECONDS / 0.2)):
        with contextlib.suppress(TimeoutError):
            return server.accept()[0]
        if process.poll() is not None:
            # The first line has the reason, the last the cure.
            said = process.stderr.read() if process.stderr else b""
            reason = " ".join(said.decode(errors="replace").split())
            raise InputError(f"{board.name}: QEMU does not start ({reason or 'no reason given'})")
    raise InputError(f"{board.name}: QEMU did not connect in {_BOOT_SECONDS} seconds")
