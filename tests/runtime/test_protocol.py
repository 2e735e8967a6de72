"""Frames byte by byte, damage of every kind, and the bodies that a device sends."""

import re
import struct
import zlib

import pytest
from cobs import cobs
from hypothesis import example, given
from hypothesis import strategies as st

from tinyseg.places import firmware_folder
from tinyseg.runtime import protocol
from tinyseg.runtime.protocol import Code, Frame, Request

BYTE = st.integers(0, 255)
# COBS counts runs without a zero up to 254 bytes: lengths around it, with zeros and without.
BODIES = st.one_of(
    st.binary(max_size=40),
    st.binary(min_size=240, max_size=520),
    st.integers(240, 520).map(lambda size: b"\x01" * size),
    st.integers(0, 520).map(bytes),
)
FRAMES = st.builds(Frame, BYTE, BYTE, BODIES)


def line(frame):
    """What stands between the two zeros."""
    sent = protocol.encode(frame)
    assert sent[0] == sent[-1] == 0
    return sent[1:-1]


# Stuffed by hand: a code byte tells how far the next zero is. firmware/tests has the first too.
GOLDEN = {
    "00 03 01 07 07 11 22 e0 84 2c e0 00": Frame(1, 7, b"\x00\x11\x22"),
    "00 07 01 01 28 13 c5 2f 00": Frame(1, 1),
    "00 03 01 2a 05 0d 7f e8 91 00": Frame(1, 42, b"\0"),
    "00 01 01 05 ff 12 d9 41 00": Frame(0, 0),
}


@pytest.mark.parametrize("text", GOLDEN)
def test_golden_frames(text):
    sent = bytes.fromhex(text)
    assert protocol.encode(GOLDEN[text]) == sent
    assert protocol.decode(sent[1:-1]) == GOLDEN[text]


@given(FRAMES)
@example(Frame(3, 255, b"\x01" * 248))  # With header and CRC-32 exactly one full run.
@example(Frame(3, 255, b"\x01" * 502))  # Exactly two.
def test_frames_survive_the_line(frame):
    inner = line(frame)
    assert 0 not in inner
    size = 2 + len(frame.body) + 4
    assert size + 1 <= len(inner) <= size + 1 + size // 254
    assert protocol.decode(inner) == frame


@given(FRAMES)
def test_frames_carry_the_crc_of_zlib(frame):
    content = cobs.decode(line(frame))
    assert content[:2] == bytes((frame.kind, frame.sequence))
    assert content[2:-4] == frame.body
    assert int.from_bytes(content[-4:], "little") == zlib.crc32(content[:-4])


@given(FRAMES, st.data())
def test_a_flipped_bit_never_gives_another_frame(frame, data):
    damaged = bytearray(line(frame))
    place = data.draw(st.integers(0, len(damaged) - 1))
    damaged[place] ^= 1 << data.draw(st.integers(0, 7))
    assert protocol.decode(bytes(damaged)) is None


def test_every_bit_of_a_frame_matters():
    inner = line(Frame(Request.RUN_TENSOR, 9, b"\0\1\2\0\xff"))
    for bit in range(8 * len(inner)):
        damaged = bytearray(inner)
        damaged[bit // 8] ^= 1 << bit % 8
        assert protocol.decode(bytes(damaged)) is None


@given(FRAMES, st.data())
def test_a_lost_or_doubled_byte_is_noticed(frame, data):
    inner = line(frame)
    place = data.draw(st.integers(0, len(inner) - 1))
    assert protocol.decode(inner[:place]) is None
    assert protocol.decode(inner[:place] + inner[place + 1 :]) is None
    assert protocol.decode(inner[: place + 1] + inner[place:]) is None


@given(st.binary(max_size=5))
def test_what_is_too_short_for_a_frame_is_damage(content):
    assert protocol.decode(cobs.encode(content)) is None
    assert protocol.decode(content) is None


def test_the_checksum_alone_is_no_frame():
    for content in (b"", b"\x01"):
        crc = zlib.crc32(content).to_bytes(4, "little")
        assert protocol.decode(cobs.encode(content + crc)) is None


@given(st.binary(max_size=300))
def test_noise_never_raises(noise):
    assert protocol.decode(noise) is None


@pytest.mark.parametrize(
    ("kind", "sequence", "answers"),
    [
        (0x81, 5, True),
        (0xFF, 5, True),  # The error that the request met.
        (0x81, 6, False),
        (0x82, 5, False),
        (0x01, 5, False),  # An echo of the request itself.
        (0xFE, 5, False),
        (0xFF, 0, False),
    ],
)
def test_which_frames_answer_a_ping(kind, sequence, answers):
    assert Frame(kind, sequence).answers(Frame(Request.PING, 5)) is answers


NUMBERS = {
    "protocol": 1, "code": 7, "input_type": 1, "output_type": 3,
    "detail": 123_456, "clock_hz": 25_000_000, "arena_size": 70_000, "arena_used": 69_000,
    "stack_size": 16_384, "stack_used": 900, "input_elements": 3072, "output_elements": 1024,
    "model_length": 40_960, "model_crc32": 0xDEADBEEF,
}  # fmt: skip
DIGEST = bytes(range(100, 132))
TEXTS = {"board": "mps2_an500", "model": "my model", "text": "tensor arena is too small"}


def info_body():
    """The layout of firmware/core/server.cc: four bytes, ten words, digest, three texts."""
    values = list(NUMBERS.values())
    body = bytes(values[:4]) + b"".join(value.to_bytes(4, "little") for value in values[4:])
    texts = (bytes([len(text)]) + text.encode() for text in TEXTS.values())
    return body + DIGEST + b"".join(texts)


def test_info_has_every_field_in_its_place():
    info = protocol.parse_info(info_body())
    for name, value in {**NUMBERS, **TEXTS, "model_sha256": DIGEST.hex()}.items():
        assert getattr(info, name) == value, name


def test_info_may_have_empty_texts_and_bytes_that_are_no_ascii():
    body = info_body()[: 4 + 40 + 32] + b"\0" + b"\2\xc3\xa9" + b"\0"
    info = protocol.parse_info(body)
    assert (info.board, info.text) == ("", "")
    assert info.model == "\N{REPLACEMENT CHARACTER}" * 2


def test_info_that_ends_early_is_of_another_version():
    body = info_body()
    for size in range(len(body)):
        with pytest.raises(ValueError, match="another version of the protocol"):
            protocol.parse_info(body[:size])


def error_body(code, detail, text=b""):
    return struct.pack("<BBI", code, Request.RUN_TENSOR, detail) + text


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (error_body(3, 65542, b"frame exceeds the buffer"), "frame exceeds the buffer (65,542)"),
        (error_body(3, 65542), "too large (65,542)"),
        (error_body(10, 0, b"stack is too small"), "stack is too small"),
        (error_body(12, 0), "prepare failed"),
        (error_body(99, 0), "code 99"),
        (error_body(99, 8), "code 99 (8)"),
        (error_body(9, 0, b"\xff"), "\N{REPLACEMENT CHARACTER}"),
        *((error_body(9, 1)[:size], "unknown error") for size in range(6)),
    ],
)
def test_errors_in_words(body, line):
    assert protocol.parse_error(body) == line


@pytest.mark.parametrize(
    ("header", "enumeration"),
    [("status.h", Code), ("protocol.h", Request)],
    ids=["code", "request"],
)
def test_numbers_are_those_of_the_firmware(header, enumeration):
    text = (firmware_folder() / "core" / header).read_text()
    listed = re.search(rf"enum class {enumeration.__name__} [^{{]*{{(.*?)}};", text, re.S)[1]
    numbers = dict(re.findall(r"^\s*k(\w+) = (\d+),", listed, re.M))
    names = {member.name.title().replace("_", ""): str(member.value) for member in enumeration}
    assert names == numbers


def test_constants_are_those_of_the_firmware():
    text = (firmware_folder() / "core" / "protocol.h").read_text()
    listed = re.findall(r"^constexpr uint8_t k(\w+) = (\w+);", text, re.M)
    assert {name: int(value, 0) for name, value in listed} == {
        "ProtocolVersion": protocol.VERSION,
        "ReplyBit": protocol._REPLY,
        "LogFrame": protocol.LOG,
        "ErrorFrame": protocol.ERROR,
        "NoSequence": protocol.NO_SEQUENCE,
    }
