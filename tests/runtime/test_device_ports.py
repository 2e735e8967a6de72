"""Ports that cannot be opened, go away, or stay silent."""

import os
import socket
import threading
import time

import numpy as np
import pytest
from cobs import cobs

from tests.runtime.lines import (
    LOG,
    assert_one_line,
    device,
    echo,
    frame,
    run_reply,
    silence,
)
from tinyseg.errors import InputError
from tinyseg.runtime.device import Device, SocketPort, open_port


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


@pytest.mark.parametrize("noise", [b"", b"tick\r\n", frame(LOG, 0, b"tick")])
def test_a_short_request_is_given_up_in_its_time_and_waiting_is_told_once(
    terminal, caplog, monkeypatch, noise
):
    """A port that takes what it is sent and never answers, whether or not it talks."""
    ours, name = terminal
    monkeypatch.setattr("tinyseg.runtime.device._TOLD_SECONDS", {True: 0.1, False: 10.0})
    ended = threading.Event()

    def talk():
        while noise and not ended.wait(0.02):
            os.write(ours, noise)

    caplog.set_level("INFO")
    thread = threading.Thread(target=talk, daemon=True)
    thread.start()
    start = time.monotonic()
    with open_port(name) as port, pytest.raises(InputError, match="no answer to info"):
        Device(port, name, quick=0.9).info()
    ended.set()
    thread.join()
    # Three tries, each of which waits for a third of it and then for the port.
    assert 0.8 < time.monotonic() - start < 8
    assert [record.getMessage() for record in caplog.records] == [
        f"{name}: waiting for the answer to info, up to 0.9 s"
    ]


def test_silence_costs_ten_seconds_unless_told_otherwise(terminal):
    _, name = terminal
    start = time.monotonic()
    with open_port(name) as port, pytest.raises(InputError, match="no answer to info"):
        Device(port, name).info()
    assert 9 < time.monotonic() - start < 25


def test_an_inference_may_take_its_time_but_not_in_silence(caplog, monkeypatch):
    monkeypatch.setattr("tinyseg.runtime.device._TOLD_SECONDS", {True: 1.0, False: 0.02})
    caplog.set_level("INFO")
    board, _ = device(silence, run_reply(1, b"\1"), timeout=0.1)
    assert board.run_tensor(np.zeros(1, np.int8)) == (b"\1", 1)
    assert caplog.messages == ["test board: waiting for the answer to run tensor, up to 0.3 s"]


def test_answers_at_once_are_not_announced(caplog):
    caplog.set_level("INFO")
    board, _ = device(echo)
    board.ping()
    assert not caplog.records


def test_a_port_that_nobody_empties_is_an_error(terminal, monkeypatch):
    """Else writing would wait for ever."""
    monkeypatch.setattr("tinyseg.runtime.device._PIECE_SECONDS", 0.2)
    _, name = terminal
    with open_port(name) as port, pytest.raises(InputError) as caught:
        Device(port, name).ping(bytes(1 << 20))
    assert_one_line(caught, f"{name}: connection lost (")
