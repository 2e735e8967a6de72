"""Lines to a device that the tests play themselves, and what it sends."""

import struct
import time
import zlib

from cobs import cobs

from tinyseg.runtime.device import Device

PING, INFO, RUN_TENSOR, RUN_IMAGE, PROFILE = range(1, 6)
LOG, ERROR = 0xFE, 0xFF


def frame(kind, sequence, body=b""):
    """A frame's bytes, from the document and not from the code under test."""
    content = bytes((kind, sequence)) + body
    content += zlib.crc32(content).to_bytes(4, "little")
    return b"\0" + cobs.encode(content) + b"\0"


def error(sequence, code, request, detail=0, text=b""):
    return frame(ERROR, sequence, struct.pack("<BBI", code, request, detail) + text)


def damaged(sent):
    """The same with a bit flipped in the middle."""
    place = len(sent) // 2
    flipped = sent[place] ^ 0x10 or 0x11
    return sent[:place] + bytes([flipped]) + sent[place + 1 :]


class Line:
    """A line to a device that is told, for each request, which bytes to send.

    Attributes:
        requests: (kind, sequence, body) of what arrived.
    """

    def __init__(self, *script, chunk=1 << 16):
        self.requests = []
        self._script, self._chunk, self._pending = list(script), chunk, b""

    def write(self, data):
        assert data[0] == data[-1] == 0
        content = cobs.decode(data[1:-1])
        assert zlib.crc32(content[:-4]) == int.from_bytes(content[-4:], "little")
        request = (content[0], content[1], content[2:-4])
        self.requests.append(request)
        if self._script:
            self._pending += self._script.pop(0)(*request)

    def read(self):
        taken, self._pending = self._pending[: self._chunk], self._pending[self._chunk :]
        if not taken:
            time.sleep(0.001)
        return taken


def echo(kind, sequence, body):
    return frame(kind | 0x80, sequence, body)


def silence(kind, sequence, body):
    return b""


def device(*script, timeout=0.05, **options):
    line = Line(*script)
    return Device(line, "test board", timeout=timeout, **options), line


def assert_one_line(caught, *words):
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def run_reply(ticks, output):
    return lambda kind, seq, _: frame(kind | 0x80, seq, struct.pack("<Q", ticks) + output)
