"""A board that runs tinyseg's firmware, behind a serial port or an emulated one."""

from __future__ import annotations

import contextlib
import itertools
import logging
import socket
import struct
import time
from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
import serial

from tinyseg.engine.compiler import integer
from tinyseg.errors import InputError
from tinyseg.runtime import protocol
from tinyseg.runtime.protocol import DeviceInfo, Frame, Request
from tinyseg.runtime.runner import IntegerBorder, border
from tinyseg.tflite import TfliteModel

_TRIES = 3
# Of an element type, in what a device says of itself.
_INT8 = 1
# How many times a timeout may pass while bytes arrive.
_PATIENCE = 4
_TICKS = struct.Struct("<Q")
# Short requests are answered at once, however slow the network is: all tries together.
_QUICK_SECONDS = 10.0
# After so long without an answer a line says what is waited for.
_TOLD_SECONDS = {True: 1.0, False: 10.0}
_PIECE = 1024
_PIECE_SECONDS = 10.0

_logger = logging.getLogger(__name__)


class Port(Protocol):
    """A line of bytes to a device."""

    def read(self) -> bytes:
        """Return bytes that arrived; none after a short while without any."""

    def write(self, data: bytes) -> None:
        """Send bytes."""


class SocketPort:
    """A port on a TCP connection, such as QEMU's serial ports."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._connection.settimeout(0.2)

    def read(self) -> bytes:
        """See :class:`Port`."""
        try:
            data = self._connection.recv(1 << 16)
        except TimeoutError:
            return b""
        if not data:
            raise ConnectionResetError("the other side closed the connection")
        return data

    def write(self, data: bytes) -> None:
        """See :class:`Port`."""
        self._connection.settimeout(None)
        self._connection.sendall(data)
        self._connection.settimeout(0.2)


class SerialPort:
    """A serial port of this machine."""

    def __init__(self, device: serial.Serial) -> None:
        self._device = device

    def read(self) -> bytes:
        """See :class:`Port`."""
        return self._device.read(max(1, self._device.in_waiting))

    def write(self, data: bytes) -> None:
        """See :class:`Port`; a piece that the other side does not take in time is an error."""
        for start in range(0, len(data), _PIECE):
            self._device.write(data[start : start + _PIECE])


@contextlib.contextmanager
def open_port(name: str, baud: int = 115200) -> Iterator[Port]:
    """Open ``socket://HOST:PORT`` or a serial port such as ``/dev/ttyACM0``.

    Raises:
        InputError: it cannot be opened.
    """
    try:
        if name.startswith("socket://"):
            host, _, number = name.removeprefix("socket://").partition(":")
            opened = socket.create_connection((host, int(number)), timeout=10)
        else:
            opened = serial.Serial(name, baud, timeout=0.2, write_timeout=_PIECE_SECONDS)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{name}: cannot be opened ({reason}); see 'ls /dev/tty*'") from None
    with opened:
        yield SocketPort(opened) if isinstance(opened, socket.socket) else SerialPort(opened)


class _Wait:
    """How long a request is waited for, and the line that says so once.

    Args:
        name: of the device.
        what: is asked.
        total: seconds, all tries together.
        quick: whether the answer ought to come at once.
    """

    def __init__(self, name: str, what: str, total: float, quick: bool) -> None:
        self.total, self._quick = total, quick
        self._line = f"{name}: waiting for the answer to {what}, up to {total:g} s"
        self._start, self._told = time.monotonic(), False

    def over(self) -> bool:
        """Return whether the time of a short request is up; say once that it is waited for."""
        spent = time.monotonic() - self._start
        if spent > _TOLD_SECONDS[self._quick] and not self._told:
            self._told = True
            _logger.info(self._line)
        return self._quick and spent > self.total


def _word(request: Request) -> str:
    return request.name.lower().replace("_", " ")


class Device:
    """Sends requests and waits for their replies; repeats what noise on the line destroyed.

    Args:
        port: line to the device.
        name: for messages.
        timeout: seconds that an inference may take.
        quick: seconds that a short request may take, all tries together.
        instructions: turns ticks and their frequency into instructions, for emulated devices.
        log: called with each line of text that the device sends unasked.
    """

    def __init__(
        self,
        port: Port,
        name: str,
        *,
        timeout: float = 600.0,
        quick: float = _QUICK_SECONDS,
        instructions: Callable[[int, int], int] | None = None,
        log: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.name, self.instructions = name, instructions
        self._port, self._timeout, self._quick, self._log = port, timeout, quick, log
        self._received = bytearray()
        self._sequence = itertools.cycle(range(1, 256))

    def ping(self, body: bytes = b"") -> bytes:
        """Return what the device sends back: the same."""
        return self._ask(Request.PING, body)

    def info(self) -> DeviceInfo:
        """Return what the device says of itself.

        Raises:
            InputError: no answer, or one of another version.
        """
        try:
            info = protocol.parse_info(self._ask(Request.INFO))
        except ValueError as error:
            raise InputError(f"{self.name}: {error}; flash this version's firmware") from None
        if info.protocol != protocol.VERSION:
            raise InputError(
                f"{self.name}: speaks protocol {info.protocol}, not {protocol.VERSION}; "
                "flash this version's firmware"
            )
        return info

    def run_tensor(self, stored: np.ndarray) -> tuple[bytes, int]:
        """Run an input tensor; return the output tensor's bytes and the ticks it took."""
        return self._run(Request.RUN_TENSOR, stored.tobytes())

    def run_image(self, pixels: np.ndarray) -> tuple[np.ndarray, int]:
        """Run uint8 pixels; return the mask's values, bool ``(n,)`` with n a multiple of 8."""
        mask, ticks = self._run(Request.RUN_IMAGE, pixels.tobytes())
        return np.unpackbits(np.frombuffer(mask, np.uint8)).astype(bool), ticks

    def profile(self) -> list[int]:
        """Return the ticks of each operator of the last inference, in order of execution."""
        body = self._ask(Request.PROFILE, timeout=self._timeout)
        return [ticks for (ticks,) in _TICKS.iter_unpack(body)]

    def _run(self, request: Request, body: bytes) -> tuple[bytes, int]:
        reply = self._ask(request, body, self._timeout)
        return reply[_TICKS.size :], _TICKS.unpack_from(reply)[0]

    def _ask(self, request: Request, body: bytes = b"", timeout: float | None = None) -> bytes:
        """Return a reply's body; without a timeout the request is a short one."""
        frame = Frame(request, next(self._sequence), body)
        total = self._quick if timeout is None else _TRIES * timeout
        wait = _Wait(self.name, _word(request), total, timeout is None)
        for _ in range(_TRIES):
            self._write(protocol.encode(frame))
            reply = self._await(frame, wait)
            if reply is None:
                continue
            if reply.kind == protocol.ERROR:
                raise InputError(f"{self.name}: {protocol.parse_error(reply.body)}")
            return reply.body
        raise InputError(
            f"{self.name}: no answer to {_word(request)}; check that it runs tinyseg's firmware, "
            "and the port's name and speed"
        )

    def _write(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except (OSError, serial.SerialException) as error:
            raise InputError(f"{self.name}: connection lost ({error})") from None

    def _await(self, request: Frame, wait: _Wait) -> Frame | None:
        """Return the reply, None if the request was damaged or nothing came in time."""
        for frame in self._frames(wait.total / _TRIES, wait):
            if frame is None or (frame.kind, frame.sequence) == (
                protocol.ERROR,
                protocol.NO_SEQUENCE,
            ):
                return None
            if frame.kind == protocol.LOG:
                self._log(frame.body.decode("ascii", "replace").strip())
            elif frame.answers(request):
                return frame
        return None

    def wait_for_log(self, timeout: float) -> str | None:
        """Return the next line of text from the device, None if none came in time."""
        for frame in self._frames(timeout):
            if frame is not None and frame.kind == protocol.LOG:
                return frame.body.decode("ascii", "replace").strip()
        return None

    def _frames(self, timeout: float, wait: _Wait | None = None) -> Iterator[Frame | None]:
        """Yield frames, None for damaged ones, until nothing arrived for so long.

        Bytes put the end off, for a long reply takes its time; those of a device that talks for
        ever do so only for a while, and those of a short reply not beyond the end of its time.
        """
        start = time.monotonic()
        deadline = start + timeout
        while True:
            end = self._received.find(0)
            if end >= 0:
                line = bytes(self._received[:end])
                del self._received[: end + 1]
                if line:
                    yield protocol.decode(line)
                continue
            if time.monotonic() > deadline or (wait and wait.over()):
                return
            try:
                data = self._port.read()
            except (OSError, serial.SerialException) as error:
                raise InputError(f"{self.name}: connection lost ({error})") from None
            if data:
                self._received += data
                deadline = min(time.monotonic() + timeout, start + _PATIENCE * timeout)


class DeviceRunner:
    """Runs a file on a device that was flashed with it; a :class:`~tinyseg.runtime.Runner`.

    Args:
        device: the device.
        model: the file that should be on it.
        progress: called after each image.

    Attributes:
        info: what the device said of itself.
        unit: of work: ``instructions`` on an emulated device, else ``cycles``.
        work: of each inference.
        operator_work: of each operator, of the last inference; empty if TFLM was built without.

    Raises:
        InputError: the device could not start its network, or runs another model.
    """

    def __init__(
        self, device: Device, model: TfliteModel, *, progress: Callable[[], None] = lambda: None
    ) -> None:
        self.kernels = device.name
        self._device, self._progress = device, progress
        self.info = device.info()
        if self.info.code != protocol.Code.OK:
            reason = protocol.describe(self.info.code, self.info.detail, self.info.text)
            raise InputError(f"{device.name}: {reason}")
        if self.info.model_sha256 != model.sha256():
            raise InputError(
                f"{device.name}: runs {self.info.model} with another SHA-256 than {model.path}; "
                "flash that file"
            )
        self.input, self.output = border(model)
        # Our own engine's firmware takes and gives integers, whatever the file has at its border.
        kinds = (self.info.input_type, self.input), (self.info.output_type, self.output)
        whole = any(kind == _INT8 and end.dtype != "int8" for kind, end in kinds)
        self._border = IntegerBorder(model, integer(model) if whole else model)
        self.unit = "instructions" if device.instructions else "cycles"
        self.work: list[int] = []
        self.operator_work: list[int] = []

    def run(self, inputs: np.ndarray) -> np.ndarray:
        """See :meth:`tinyseg.runtime.Runner.run`."""
        outputs = np.empty((len(inputs), *self.output.shape[1:]), self.output.dtype)
        for stored, output in zip(inputs, outputs, strict=True):
            content, ticks = self._device.run_tensor(self._border.inside(stored))
            output[...] = self._border.read(content).reshape(output.shape)
            self.work.append(self._count(ticks))
            self._progress()
        if len(inputs):
            self.operator_work = [self._count(ticks) for ticks in self._device.profile()]
        return outputs

    def refresh(self) -> DeviceInfo:
        """Ask again, for memory that the runs needed; return the new ``info``."""
        self.info = self._device.info()
        return self.info

    def _count(self, ticks: int) -> int:
        convert = self._device.instructions
        return convert(ticks, self.info.clock_hz) if convert else ticks
