"""Talking to a device: answers, noise and silence."""

import struct
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fixtures import Draft, one_operator
from tests.runtime.lines import (
    INFO,
    LOG,
    PING,
    PROFILE,
    RUN_IMAGE,
    RUN_TENSOR,
    Line,
    assert_one_line,
    damaged,
    device,
    echo,
    error,
    frame,
    run_reply,
    silence,
)
from tinyseg.errors import InputError
from tinyseg.runtime.device import Device, DeviceRunner
from tinyseg.tflite import TfliteModel


def test_ping_returns_the_same_bytes():
    board, line = device(echo)
    assert board.ping(b"\0\1\xff") == b"\0\1\xff"
    assert line.requests == [(PING, 1, b"\0\1\xff")]


@given(st.binary(max_size=300), st.integers(1, 9))
def test_answers_may_come_in_pieces_of_any_size(body, chunk):
    line = Line(echo, echo, chunk=chunk)
    board = Device(line, "test board")
    assert board.ping(body) == body
    assert board.ping(body[::-1]) == body[::-1]


def test_sequence_numbers_run_from_1_to_255_and_begin_again():
    board, line = device(*([echo] * 257))
    for _ in range(257):
        board.ping()
    assert [sequence for _, sequence, _ in line.requests] == [*range(1, 256), 1, 2]


def test_a_damaged_reply_is_asked_for_again():
    board, line = device(lambda *request: damaged(echo(*request)), echo)
    assert board.ping(b"again") == b"again"
    assert line.requests == [(PING, 1, b"again")] * 2


def test_a_request_that_arrived_damaged_is_sent_again():
    board, line = device(lambda *_: error(0, 1, 0, text=b"frame was damaged on the line"), echo)
    assert board.ping(b"again") == b"again"
    assert line.requests == [(PING, 1, b"again")] * 2


def test_silence_is_followed_by_another_try():
    reply = struct.pack("<Q", 77) + b"out"
    board, line = device(silence, silence, lambda kind, seq, _: frame(kind | 0x80, seq, reply))
    assert board.run_tensor(np.zeros(4, np.int8)) == (b"out", 77)
    assert line.requests == [(RUN_TENSOR, 1, bytes(4))] * 3


def test_noise_between_frames_is_passed_over():
    def noisy(kind, sequence, body):
        return b"\0\0\0" + echo(kind, sequence, body) + b"\0noise without an end"

    board, _ = device(noisy, lambda *request: b"\0" + echo(*request), echo)
    assert board.ping(b"1") == b"1"
    # What was left of the noise reads as a damaged frame, which costs one more try.
    assert board.ping(b"2") == b"2"


def test_replies_to_other_requests_are_ignored():
    def late(kind, sequence, body):
        others = (
            frame(PING | 0x80, sequence - 1, b"late"),
            error(sequence - 1, 9, RUN_TENSOR),
            frame(INFO | 0x80, sequence, b"other kind"),
            frame(PING, sequence, b"our own echo"),
        )
        return b"".join(others) + echo(kind, sequence, body)

    board, line = device(echo, late)
    board.ping()
    assert board.ping(b"mine") == b"mine"
    assert len(line.requests) == 2


def test_the_answer_to_a_repeated_request_does_not_answer_the_next_one():
    board, _ = device(lambda *request: damaged(echo(*request)) + echo(*request), echo, echo)
    assert board.ping(b"first") == b"first"
    assert board.ping(b"second") == b"second"


def test_lines_of_text_are_handed_on():
    def talkative(kind, sequence, body):
        return frame(LOG, 0, b"one\r\n") + frame(LOG, 0, b"tw\xff") + echo(kind, sequence, body)

    heard = []
    board, _ = device(talkative, log=heard.append)
    assert board.ping(b"x") == b"x"
    assert heard == ["one", "tw\N{REPLACEMENT CHARACTER}"]


def test_wait_for_log_returns_lines_in_order_and_none_in_the_end():
    line = Line(lambda *_: frame(LOG, 0, b"booting\r\n") + b"\0x\0" + frame(LOG, 0, b"ready\r\n"))
    board = Device(line, "test board")
    line.write(frame(PING, 1))
    assert [board.wait_for_log(0.02) for _ in range(3)] == ["booting", "ready", None]


def test_an_error_of_the_device_is_told_at_once():
    board, line = device(lambda kind, seq, _: error(seq, 5, kind, 12288, b"other size"))
    with pytest.raises(InputError) as caught:
        board.run_tensor(np.zeros(4, np.int8))
    assert str(caught.value) == "test board: other size (12,288)"
    assert len(line.requests) == 1


@pytest.mark.parametrize(
    "reply",
    [
        silence,
        lambda *request: damaged(echo(*request)),
        lambda *_: error(0, 2, 0),
        lambda kind, sequence, body: frame(kind | 0x80, sequence ^ 1, body),
    ],
    ids=["silence", "noise", "errors", "other sequences"],
)
def test_no_answer_is_an_error_after_three_tries(reply):
    board, line = device(reply, reply, reply, echo)
    with pytest.raises(InputError) as caught:
        board.run_tensor(np.zeros(4, np.int8))
    assert_one_line(caught, "test board: no answer to run tensor", "port's name and speed")
    assert len(line.requests) == 3


@pytest.mark.parametrize("noise", [b"tick\r\n", frame(LOG, 0, b"tick")], ids=["text", "log"])
def test_other_firmware_that_talks_for_ever_is_no_answer(noise):
    class Chatter:
        reads = 0

        def write(self, data):
            pass

        def read(self):
            # Each takes a millisecond at least, so three tries of 50 do not come to so many.
            self.reads += 1
            assert self.reads < 1000, "still listening"
            time.sleep(0.001)
            return noise

    with pytest.raises(InputError, match="no answer to run tensor"):
        Device(Chatter(), "test board", timeout=0.05).run_tensor(np.zeros(4, np.int8))


def test_ticks_beyond_32_bits_and_an_output_with_zeros():
    board, line = device(run_reply(1 << 40, b"\0\x80\0"))
    stored = np.array([[-128, 0], [1, 127]], np.int8)
    assert board.run_tensor(stored) == (b"\0\x80\0", 1 << 40)
    assert line.requests == [(RUN_TENSOR, 1, b"\x80\0\1\x7f")]


def test_tensors_of_16_bits_and_floats_are_sent_little_endian():
    board, line = device(run_reply(1, b""), run_reply(1, b""))
    board.run_tensor(np.array([258, -2], np.int16))
    board.run_tensor(np.array([1.0], np.float32))
    assert [body for _, _, body in line.requests] == [b"\2\1\xfe\xff", b"\0\0\x80\x3f"]


def test_masks_have_their_first_pixel_in_the_highest_bit():
    board, line = device(run_reply(5, bytes([0b1010_0000, 0b0000_0001])))
    mask, ticks = board.run_image(np.array([0, 255], np.uint8))
    assert line.requests == [(RUN_IMAGE, 1, b"\0\xff")]
    assert ticks == 5
    assert mask.dtype == bool
    assert np.flatnonzero(mask).tolist() == [0, 2, 15]
    assert mask.shape == (16,)


def test_profile_lists_the_ticks_of_each_operator():
    body = struct.pack("<3Q", 5, 0, 1 << 33)
    board, line = device(lambda kind, seq, _: frame(kind | 0x80, seq, body))
    assert board.profile() == [5, 0, 1 << 33]
    assert line.requests == [(PROFILE, 1, b"")]


def info_body(*, version=1, code=0, detail=0, digest=bytes(32), text=b"", elements=(48, 48)):
    numbers = (detail, 1_000_000, 100, 90, 80, 70, *elements, 60, 50)
    head = struct.pack("<4B10I", version, code, 1, 1, *numbers) + digest
    texts = (b"test_board", b"net", text)
    return head + b"".join(bytes([len(part)]) + part for part in texts)


def informs(**fields):
    return lambda kind, sequence, _: frame(kind | 0x80, sequence, info_body(**fields))


def test_info_is_parsed():
    board, line = device(informs(code=7, detail=4096))
    info = board.info()
    assert line.requests == [(INFO, 1, b"")]
    assert (info.board, info.model, info.code, info.detail) == ("test_board", "net", 7, 4096)
    assert (info.clock_hz, info.arena_size, info.arena_used) == (1_000_000, 100, 90)


def test_info_of_another_version_asks_for_this_firmware():
    board, _ = device(informs(version=2), lambda kind, seq, _: frame(kind | 0x80, seq, b"\1\0"))
    for words in (["protocol 2, not 1"], ["another version"]):
        with pytest.raises(InputError) as caught:
            board.info()
        assert_one_line(caught, "test board: ", *words, "flash this version's firmware")


@pytest.fixture(scope="module")
def relu():
    draft = Draft((1, 4, 4, 3), scale=0.25, zero_point=-7)
    return TfliteModel.parse(one_operator("RELU", [draft], draft), "relu.tflite")


def digest(model):
    return bytes.fromhex(model.sha256())


def test_runner_gives_each_image_its_output_and_work(relu):
    outputs = np.random.default_rng(0).integers(-128, 128, (2, 4, 4, 3), np.int8)
    work = struct.pack("<1Q", 30)
    script = (
        informs(digest=digest(relu)),
        *(run_reply(1000 + i, output.tobytes()) for i, output in enumerate(outputs)),
    )
    board, line = device(*script, lambda kind, seq, _: frame(kind | 0x80, seq, work))
    calls = []
    runner = DeviceRunner(board, relu, progress=lambda: calls.append(None))
    assert (runner.input.scale, runner.input.zero_point) == (0.25, -7)
    inputs = np.random.default_rng(1).integers(-128, 128, (2, 4, 4, 3), np.int8)
    np.testing.assert_array_equal(runner.run(inputs), outputs)
    assert [body for kind, _, body in line.requests if kind == RUN_TENSOR] == [
        image.tobytes() for image in inputs
    ]
    assert (runner.work, runner.operator_work, runner.unit) == ([1000, 1001], [30], "cycles")
    assert len(calls) == 2


def test_runner_of_an_emulated_board_counts_instructions(relu):
    board, _ = device(
        informs(digest=digest(relu)),
        run_reply(64, bytes(48)),
        lambda kind, seq, _: frame(kind | 0x80, seq, struct.pack("<2Q", 8, 16)),
        instructions=lambda ticks, clock: ticks * clock // 1000,
    )
    runner = DeviceRunner(board, relu)
    runner.run(np.zeros((1, 4, 4, 3), np.int8))
    assert runner.unit == "instructions"
    assert (runner.work, runner.operator_work) == ([64_000], [8_000, 16_000])


def test_runner_refuses_another_model(relu):
    board, _ = device(informs(digest=bytes(32)))
    with pytest.raises(InputError) as caught:
        DeviceRunner(board, relu)
    assert_one_line(caught, "test board: ", "runs net", "relu.tflite", "flash that file")


def test_runner_refuses_a_network_that_did_not_start(relu):
    board, _ = device(informs(digest=digest(relu), code=7, detail=70_000))
    with pytest.raises(InputError) as caught:
        DeviceRunner(board, relu)
    assert str(caught.value) == "test board: arena too small (70,000)"
