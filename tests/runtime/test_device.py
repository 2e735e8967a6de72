"""Talking to a device: answers, noise, silence, and ports that cannot be opened or go away."""

import contextlib
import os
import socket
import struct
import threading
import time
import tty
import zlib

import numpy as np
import pytest
from cobs import cobs
from hypothesis import given
from hypothesis import strategies as st

from tests.fixtures import Draft, one_operator
from tinyseg.errors import InputError
from tinyseg.runtime.device import Device, DeviceRunner, SocketPort, open_port
from tinyseg.tflite import TfliteModel

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


def run_reply(ticks, output):
    return lambda kind, seq, _: frame(kind | 0x80, seq, struct.pack("<Q", ticks) + output)


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


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_socket_that_closes_before_the_answer(pair):
    ours, theirs = pair

    def hang_up():
        theirs.recv(64)
        theirs.close()

    thread = threading.Thread(target=hang_up, daemon=True)
    thread.start()
    with pytest.raises(InputError) as caught:
        Device(SocketPort(ours), "test board").ping()
    thread.join()
    assert_one_line(caught, "test board: connection lost")


def test_socket_that_closed_before_the_request(pair):
    ours, theirs = pair
    theirs.close()
    with pytest.raises(InputError) as caught:
        Device(SocketPort(ours), "test board").ping()
    assert_one_line(caught, "test board: connection lost")


def test_socket_url():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            connection, _ = server.accept()
            with connection:
                data = b""
                while data.count(0) < 2:
                    data += connection.recv(64)
                content = cobs.decode(data.strip(b"\0"))
                connection.sendall(echo(content[0], content[1], content[2:-4]))

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        with open_port(f"socket://127.0.0.1:{server.getsockname()[1]}") as port:
            assert Device(port, "test board").ping(b"hello") == b"hello"
        thread.join()


def test_socket_url_is_waited_for_whatever_the_process_waits_by_default():
    """By default this process waits for nothing, not even for a connection on its own machine."""
    before = socket.getdefaulttimeout()
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.setdefaulttimeout(0)
        try:
            with open_port(f"socket://127.0.0.1:{server.getsockname()[1]}") as port:
                assert port.read() == b""
        finally:
            socket.setdefaulttimeout(before)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.mark.parametrize(
    "name",
    [
        "/dev/ttyNOSUCH",
        "/dev/null",
        "/",
        "no such device",
        "socket://",
        "socket://127.0.0.1",
        "socket://127.0.0.1:",
        "socket://127.0.0.1:http",
        "socket://127.0.0.1:99999",
        "socket://127.0.0.1:-1",
        "socket://" + "a" * 70 + ":5555",
        "refused",
    ],
)
def test_ports_that_cannot_be_opened(name):
    if name == "refused":
        name = f"socket://127.0.0.1:{free_port()}"
    with pytest.raises(InputError) as caught, open_port(name):
        pass
    assert_one_line(caught, f"{name}: cannot be opened (")


def test_why_a_port_cannot_be_opened():
    for name, reason in (
        ("/dev/ttyNOSUCH", "No such file or directory"),
        (f"socket://127.0.0.1:{free_port()}", "Connection refused"),
    ):
        with pytest.raises(InputError) as caught, open_port(name):
            pass
        assert_one_line(caught, reason)


@pytest.fixture
def terminal():
    """The two ends of a pseudo-terminal: a file descriptor, and a device for others to open."""
    ours, theirs = os.openpty()
    # Otherwise the line would echo what is written before the other side opens it.
    tty.setraw(theirs)
    yield ours, os.ttyname(theirs)
    os.close(theirs)
    with contextlib.suppress(OSError):
        os.close(ours)


def test_serial_port(terminal):
    ours, name = terminal
    # More than the kernel buffers in either direction.
    bodies = [b"", bytes(range(256)) * 80]

    def answer():
        received = b""
        for _ in bodies:
            while received.count(0) < 2:
                received += os.read(ours, 1 << 16)
            _, sent, received = received.split(b"\0", 2)
            content = cobs.decode(sent)
            reply = echo(content[0], content[1], content[2:-4])
            while reply:
                reply = reply[os.write(ours, reply) :]

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    with open_port(name, 921_600) as port:
        board = Device(port, name)
        assert [board.ping(body) for body in bodies] == bodies
    thread.join()


def test_serial_port_that_is_unplugged(terminal):
    ours, name = terminal

    def unplug():
        os.read(ours, 64)
        os.close(ours)

    with open_port(name) as port:
        thread = threading.Thread(target=unplug, daemon=True)
        thread.start()
        with pytest.raises(InputError) as caught:
            Device(port, name).ping()
        thread.join()
    assert_one_line(caught, f"{name}: connection lost")
