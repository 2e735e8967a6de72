"""Firmware without a network on every emulated board: frames, errors, convolution, counts."""

import dataclasses
from pathlib import Path

import numpy as np
import psutil
import pytest
from cobs import cobs

from tinyseg import boards
from tinyseg.boards import emulator
from tinyseg.errors import InputError
from tinyseg.runtime import protocol
from tinyseg.runtime.protocol import ERROR, Code, Frame, Request
from tinyseg.tflite.ops.binary_conv_2d import BinaryConvOptions, binary_conv_2d

EMULATED = [name for name in boards.board_names() if boards.load_board(name).machine]
MACS = 32 * 32 * 64 * 3 * 3 * 64


@pytest.fixture(scope="module", params=EMULATED)
def machine(request, selftest, boot):
    """One board at a time: idle firmware keeps a core busy."""
    board = boards.load_board(request.param)
    with boot(board, selftest(board.name).elf) as machine:
        yield machine


def words():
    """Marsaglia's xorshift32 from 1, as firmware/selftest has it."""
    state = 1
    while True:
        state ^= state << 13 & 0xFFFF_FFFF
        state ^= state >> 17
        state ^= state << 5 & 0xFFFF_FFFF
        yield state


@pytest.fixture(scope="module")
def convolve():
    """The convolution of the self-test in NumPy, with the weights that it generates."""
    stream = words()
    filters = np.array([next(stream) for _ in range(64 * 3 * 3 * 2)], np.uint32)
    requantization = np.empty((64, 3), np.int32)
    for channel in range(64):
        multiplier = 0x4000_0000 + (next(stream) >> 2)
        requantization[channel] = multiplier, 14, (next(stream) >> 16) - 32768

    def convolve(stored):
        return binary_conv_2d(
            stored.reshape(1, 32, 32, 64),
            filters.view(np.int32).reshape(64, 3, 3, 2),
            requantization,
            BinaryConvOptions(),
            input_zero_point=0,
            output_zero_point=-3,
        ).ravel()

    return convolve


def test_generator_is_marsaglias():
    """The first numbers of "Xorshift RNGs", shifts 13, 17, 5, from 1."""
    stream = words()
    assert [next(stream) for _ in range(3)] == [270_369, 67_634_689, 2_647_435_461]


@pytest.mark.arm
def test_boots_with_a_line_of_text(machine):
    machine.device.ping()
    assert machine.lines == [f"tinyseg on {machine.board.name}: ready with selftest"]


@pytest.mark.arm
def test_ping_returns_any_bytes(machine):
    rng = np.random.default_rng(0)
    for size in (0, 1, 253, 254, 255, 508, 2000):
        for body in (
            bytes(size),
            b"\1" * size,
            rng.bytes(size),
            rng.bytes(size).replace(b"a", b""),
        ):
            assert machine.device.ping(body) == body


@pytest.mark.arm
def test_info(machine):
    info = machine.device.info()
    assert (info.board, info.model, info.text) == (machine.board.name, "selftest", "")
    assert (info.protocol, info.code, info.detail) == (1, Code.OK, 0)
    assert (info.input_type, info.output_type) == (1, 1)
    assert info.input_elements == info.output_elements == 32 * 32 * 64
    assert info.clock_hz == machine.board.clock_hz
    assert (info.model_length, info.model_crc32, info.model_sha256) == (0, 0, "00" * 32)
    # Input, output, filters, packed input with a field and its mask, and three words a channel.
    memory = 2 * 65536 + 4 * (64 * 18 + 32 * 32 * 2 + 2 * 18 + 64 * 3)
    assert info.arena_size == info.arena_used == memory
    assert info.stack_size == 16384
    assert 100 < info.stack_used < 16384


@pytest.mark.arm
def test_output_bytes_are_those_of_numpy(machine, convolve):
    stored = np.random.default_rng(7).integers(-128, 128, 65536, np.int8)
    output, ticks = machine.device.run_tensor(stored)
    expected = convolve(stored)
    assert len(np.unique(expected)) > 40
    np.testing.assert_array_equal(np.frombuffer(output, np.int8), expected)
    assert ticks > 0
    (operator,) = machine.device.profile()
    # All of an inference is its one operator.
    assert 0.999 * ticks < operator <= ticks


@pytest.mark.arm
def test_masks_of_grey_images_are_thresholded_outputs(machine, convolve):
    """A pixel stands for all 64 channels, p - 128 is stored, outputs above 0 are foreground."""
    for seed in range(2):
        pixels = np.random.default_rng(seed).integers(0, 256, 32 * 32, np.uint8)
        mask, _ = machine.device.run_image(pixels)
        stored = (pixels.astype(int) - 128).astype(np.int8).repeat(64)
        np.testing.assert_array_equal(mask, convolve(stored) > 0)
        assert 0.2 < mask.mean() < 0.8


@pytest.mark.arm
def test_instructions_repeat_exactly(machine, selftest, boot):
    pixels = np.random.default_rng(3).integers(0, 256, 32 * 32, np.uint8)
    first, second = (machine.device.run_image(pixels)[1] for _ in range(2))
    assert first == second
    with boot(machine.board, selftest(machine.board.name).elf) as again:
        assert again.device.run_image(pixels)[1] == first


@pytest.mark.arm
@pytest.mark.parametrize("machine", ["mps2_an500"], indirect=True)
def test_binary_products_take_half_an_instruction(machine):
    _, ticks = machine.device.run_image(np.zeros(32 * 32, np.uint8))
    clock = machine.device.info().clock_hz
    assert 0.1 < emulator.instructions(ticks, clock) / MACS <= 0.55


@pytest.mark.arm
@pytest.mark.parametrize("machine", ["mps3_an547"], indirect=True)
def test_images_may_have_a_value_for_each_channel(machine, convolve):
    pixels = np.random.default_rng(5).integers(0, 256, 65536, np.uint8)
    mask, _ = machine.device.run_image(pixels)
    stored = (pixels.astype(int) - 128).astype(np.int8)
    np.testing.assert_array_equal(mask, convolve(stored) > 0)


def error_of(machine, sent):
    """Send bytes, and see that an error comes back and the device lives on."""
    reply = machine.exchange(sent)
    assert reply.kind == ERROR
    assert machine.exchange(protocol.encode(Frame(Request.PING, 9, b"alive"))) == Frame(
        Request.PING | 0x80, 9, b"alive"
    )
    code, kind, *detail = reply.body[:6]
    return Code(code), kind, int.from_bytes(detail, "little"), reply.sequence


def framed(content):
    return b"\0" + cobs.encode(content) + b"\0"


GOOD = protocol.encode(Frame(Request.INFO, 5))


@pytest.mark.arm
def test_damaged_frames_are_answered_with_an_error(machine):
    error = error_of(machine, framed(b"\2\5wrong check\xef\xbe\xad\xde"))
    assert error == (Code.BAD_CHECKSUM, 0, 0xDEADBEEF, 0)
    # A frame has six bytes at least.
    for size in range(1, 6):
        assert error_of(machine, framed(b"\1" * size)) == (Code.TRUNCATED, 0, size, 0)
    # It ends before the bytes that its first one promises.
    assert error_of(machine, b"\0\xff\1\2\3\0")[0] == Code.TRUNCATED
    for cut in range(2, len(GOOD) - 1):
        code, kind, _, sequence = error_of(machine, GOOD[:cut] + b"\0")
        assert code in (Code.TRUNCATED, Code.BAD_CHECKSUM)
        assert (kind, sequence) == (0, 0)


@pytest.mark.arm
def test_noise_ends_with_the_next_frame(machine):
    noise = np.random.default_rng(1).bytes(600).replace(b"\0", b"")
    code, *_ = error_of(machine, noise + b"\0")
    assert code in (Code.TRUNCATED, Code.BAD_CHECKSUM)
    # What stands before a frame costs that frame nothing.
    reply = machine.exchange(noise + GOOD)
    assert reply.kind == ERROR
    assert machine.exchange(b"").kind == Request.INFO | 0x80
    assert machine.exchange(b"\0\0\0" + GOOD).kind == Request.INFO | 0x80


@pytest.mark.arm
def test_requests_that_make_no_sense_are_answered_with_an_error(machine):
    for kind in (0, 6, 42, 0x81, 0xFE, 0xFF):
        sent = protocol.encode(Frame(kind, 77, b"body"))
        assert error_of(machine, sent) == (Code.UNKNOWN_REQUEST, kind, kind, 77)
    for request in (Request.RUN_TENSOR, Request.RUN_IMAGE):
        for size in (0, 1, 1023, 1025):
            sent = protocol.encode(Frame(request, 78, bytes(size)))
            assert error_of(machine, sent) == (Code.WRONG_LENGTH, request, 65536, 78)
    # A grey image is no tensor.
    sent = protocol.encode(Frame(Request.RUN_TENSOR, 79, bytes(1024)))
    assert error_of(machine, sent) == (Code.WRONG_LENGTH, Request.RUN_TENSOR, 65536, 79)


@pytest.mark.arm
@pytest.mark.parametrize("machine", ["mps2_an505"], indirect=True)
def test_frames_larger_than_the_buffer_are_answered_with_an_error(machine):
    # Header and checksum take six bytes more.
    sent = protocol.encode(Frame(Request.RUN_TENSOR, 3, bytes(range(256)) * 256 + b"!"))
    assert error_of(machine, sent) == (Code.TOO_LARGE, 0, 65536 + 6, 0)


@pytest.mark.arm
def test_emulator_starts_and_ends_with_its_context(selftest):
    board = boards.load_board("mps2_an386")
    before = set(psutil.Process().children())
    with emulator.start(board, selftest(board.name).elf) as device:
        (process,) = set(psutil.Process().children()) - before
        assert process.name().startswith("qemu")
        assert device.wait_for_log(30) == "tinyseg on mps2_an386: ready with selftest"
        assert device.name == "mps2_an386 (emulated)"
        assert device.ping(b"\0") == b"\0"
    assert set(psutil.Process().children()) == before


@pytest.mark.arm
def test_emulator_that_ends_during_a_request(selftest):
    board = boards.load_board("mps2_an386")
    with emulator.start(board, selftest(board.name).elf) as device:
        device.ping()
        for process in psutil.Process().children():
            if process.name().startswith("qemu"):
                process.kill()
                process.wait()
        for _ in range(2):
            with pytest.raises(InputError, match=r"mps2_an386 \(emulated\): connection lost"):
                device.ping()


@pytest.mark.arm
def test_emulator_that_does_not_start_says_why(tmp_path):
    board = dataclasses.replace(boards.load_board("mps2_an500"), machine="no-such-machine")
    with pytest.raises(InputError) as caught, emulator.start(board, tmp_path / "x.elf"):
        pass
    message = str(caught.value)
    assert message.startswith("mps2_an500: QEMU does not start (")
    assert "unsupported machine type" in message
    assert "\n" not in message


@pytest.mark.arm
def test_missing_firmware_is_an_error_at_the_first_request(tmp_path):
    """QEMU opens its serial port before it looks for the program."""
    with (
        emulator.start(boards.load_board("mps2_an500"), tmp_path / "no.elf") as device,
        pytest.raises(InputError, match="connection lost"),
    ):
        device.ping()


def test_missing_emulator_is_named_with_the_cure(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="qemu-system-arm is missing; install it with make"):
        emulator.command(boards.load_board("mps2_an500"), Path("x.elf"), "null")


@pytest.mark.parametrize(
    ("ticks", "clock_mhz", "instructions"),
    # An instruction takes 32 ns: 0.8 ticks of 40 ns, 0.64 of 50 ns, 1.024 of 31.25 ns.
    [
        (0, 25, 0),
        (4, 25, 5),
        (1000, 25, 1250),
        (16, 20, 25),
        (1024, 32, 1000),
        (1 << 50, 32, 5**3 << 43),
    ],
)
def test_ticks_as_instructions(ticks, clock_mhz, instructions):
    assert emulator.instructions(ticks, clock_mhz * 1_000_000) == instructions
