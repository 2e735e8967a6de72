"""A board whose interpreter is TensorFlow Lite's on the host, and whose faults are to order."""

import struct
import zlib

import numpy as np
from cobs import cobs

from tests import fixtures
from tinyseg.runtime.device import Device, DeviceRunner

INFO, RUN_TENSOR, PROFILE = 2, 3, 5


class HostBoard:
    """The far end of a line: reads frames, runs the network, and answers as firmware does.

    Args:
        model: the file built in.
        flips: by the number of an inference, output elements whose lowest bit is wrong.
        ticks: of each inference in turn.
        operator_ticks: of the operators, a row for each inference.
        named: the file that it says it was made of.
    """

    def __init__(
        self, model, *, flips=None, ticks=(500, 501, 500), operator_ticks=None, named=None
    ):
        self._model, self._flips, self._ticks = model, flips or {}, ticks
        self._sha256 = (named or model).sha256()
        self._operator_ticks = operator_ticks or [(10 * n, 10 * n + 1) for n in range(1, 9)]
        self._pending, self.runs = b"", 0

    def write(self, data):
        content = cobs.decode(data[1:-1])[:-4]
        answer = {INFO: self._info, RUN_TENSOR: self._run, PROFILE: self._profile}[content[0]]
        reply = bytes([content[0] | 0x80, content[1]]) + answer(content[2:])
        reply += zlib.crc32(reply).to_bytes(4, "little")
        self._pending += b"\0" + cobs.encode(reply) + b"\0"

    def read(self):
        taken, self._pending = self._pending, b""
        return taken

    def _info(self, _):
        # Memory is known once the network has run: each inference takes ten bytes more of it.
        used = 10 * self.runs
        numbers = (0, 1_000_000, 4000, 3000 + used, 800, 700 + used, 0, 0, 0, 0)
        head = struct.pack("<4B10I", 1, 0, 1, 1, *numbers) + bytes.fromhex(self._sha256)
        return head + b"".join(bytes([len(part)]) + part for part in (b"host_board", b"net", b""))

    def _run(self, body):
        source = self._model.inputs[0]
        stored = np.frombuffer(body, source.dtype).reshape(source.shape)
        output = fixtures.reference_outputs(self._model.content, stored).copy()
        for element in self._flips.get(self.runs, ()):
            output.ravel()[element] ^= 1
        ticks = self._ticks[self.runs]
        self.runs += 1
        return struct.pack("<Q", ticks) + output.tobytes()

    def _profile(self, _):
        row = self._operator_ticks[self.runs - 1]
        return struct.pack(f"<{len(row)}Q", *row)


def on(model, *, emulated=True, **options):
    """Return a runner on such a board; emulated ones count two instructions a tick."""
    convert = (lambda ticks, clock_hz: 2 * ticks * clock_hz // 1_000_000) if emulated else None
    return DeviceRunner(Device(HostBoard(model, **options), "port", instructions=convert), model)
