"""Frames and messages of the firmware's serial protocol; ``firmware/core`` is the other side.

A frame is ``00 | COBS(type, sequence, body, CRC-32) | 00``. docs/firmware.md describes each body.
"""

from __future__ import annotations

import dataclasses
import enum
import struct
import zlib

from cobs import cobs

VERSION = 1
_REPLY = 0x80
LOG, ERROR = 0xFE, 0xFF
NO_SEQUENCE = 0
_CRC = struct.Struct("<I")
_INFO = struct.Struct("<4B10I32s")
_ERROR = struct.Struct("<BBI")


class Request(enum.IntEnum):
    """What the host asks for."""

    PING = 1
    INFO = 2
    RUN_TENSOR = 3
    RUN_IMAGE = 4
    PROFILE = 5


class Code(enum.IntEnum):
    """What can go wrong on the device."""

    OK = 0
    BAD_CHECKSUM = 1
    TRUNCATED = 2
    TOO_LARGE = 3
    UNKNOWN_REQUEST = 4
    WRONG_LENGTH = 5
    MODEL_DAMAGED = 6
    ARENA_TOO_SMALL = 7
    UNKNOWN_OPERATOR = 8
    INVOKE_FAILED = 9
    STACK_OVERFLOW = 10
    MODEL_MISMATCH = 11
    PREPARE_FAILED = 12
    BAD_PROGRAM = 13
    BORDER_FAILED = 14
    STOPPED = 15


@dataclasses.dataclass(frozen=True)
class Frame:
    """A frame's content.

    Attributes:
        kind: a request, a request with the reply bit, LOG or ERROR.
        sequence: 1..255, repeated by the reply; 0 where nothing was asked.
        body: the rest.
    """

    kind: int
    sequence: int
    body: bytes = b""

    def answers(self, request: Frame) -> bool:
        """Return whether this is the reply to a request, or the error it met."""
        return self.sequence == request.sequence and self.kind in (request.kind | _REPLY, ERROR)


def encode(frame: Frame) -> bytes:
    """Return a frame's bytes on the line, between zeros."""
    content = bytes((frame.kind, frame.sequence)) + frame.body
    return b"\0" + cobs.encode(content + _CRC.pack(zlib.crc32(content))) + b"\0"


def decode(line: bytes) -> Frame | None:
    """Return the frame between two zeros, None if it was damaged."""
    try:
        content = cobs.decode(line)
    except cobs.DecodeError:
        return None
    if len(content) < 2 + _CRC.size:
        return None
    content, checksum = content[: -_CRC.size], content[-_CRC.size :]
    if zlib.crc32(content) != _CRC.unpack(checksum)[0]:
        return None
    return Frame(content[0], content[1], content[2:])


@dataclasses.dataclass(frozen=True)
class DeviceInfo:
    """What a device says of itself.

    Attributes:
        protocol: version of the protocol.
        code: ``Code.OK``, or why the device cannot run its network.
        input_type, output_type: 1 int8, 2 int16, 3 float32, 4 int32.
        detail: number that goes with ``code``, such as bytes of arena needed.
        clock_hz: frequency of its ticks.
        arena_size, arena_used, stack_size, stack_used: bytes.
        input_elements, output_elements: of the network's tensors.
        model_length, model_crc32, model_sha256: of the ``.tflite`` file built in.
        board: folder name below ``firmware/boards``.
        model: name of the model.
        text: what went wrong, in words.
    """

    protocol: int
    code: int
    input_type: int
    output_type: int
    detail: int
    clock_hz: int
    arena_size: int
    arena_used: int
    stack_size: int
    stack_used: int
    input_elements: int
    output_elements: int
    model_length: int
    model_crc32: int
    model_sha256: str
    board: str
    model: str
    text: str


def parse_info(body: bytes) -> DeviceInfo:
    """Read the body of an INFO reply.

    Raises:
        ValueError: it is no such body.
    """
    try:
        *numbers, digest = _INFO.unpack_from(body)
        rest = body[_INFO.size :]
        texts: list[str] = []
        for _ in range(3):
            (text,) = struct.unpack_from(f"{rest[0]}s", rest, 1)
            texts.append(text.decode("ascii", "replace"))
            rest = rest[1 + rest[0] :]
        return DeviceInfo(*(*numbers, digest.hex(), *texts))
    except (struct.error, IndexError):
        raise ValueError("the device speaks another version of the protocol") from None


def parse_error(body: bytes) -> str:
    """Return the message in an ERROR frame's body."""
    if len(body) < _ERROR.size:
        return "unknown error"
    code, _, detail = _ERROR.unpack_from(body)
    text = body[_ERROR.size :].decode("ascii", "replace")
    return describe(code, detail, text)


def describe(code: int, detail: int, text: str) -> str:
    """Return an error of the device in words and numbers."""
    name = Code(code).name.lower().replace("_", " ") if code in set(Code) else f"code {code}"
    return f"{text or name} ({detail:,})" if detail else text or name
