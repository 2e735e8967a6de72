"""Clients that load a server: what they are answered, and how fast."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

STARTS_IN = 900


@dataclasses.dataclass
class Server:
    """A running server."""

    process: subprocess.Popen
    port: int
    line: str

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, bytes]:
        """Return status and content of one answer; 0 if the line broke."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            names = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, names)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except OSError:
            return 0, b""
        finally:
            connection.close()

    def invoke(self, body: bytes, kind: str, accept: str = "") -> tuple[int, bytes]:
        """Return what an image is answered."""
        headers = {"Content_Type": kind, **({"Accept": accept} if accept else {})}
        return self.ask("POST", "/invocations", body, **headers)

    def replicas(self) -> list[psutil.Process]:
        """Return the processes that compute."""
        found = []
        for process in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if "ServeReplica:network" in " ".join(process.cmdline()):
                    found.append(process)
        return found


@contextlib.contextmanager
def serving(folder: Path, *options: str) -> Iterator[Server]:
    """Start a server as a user does, and stop it with SIGTERM."""
    log = folder / "server.log"
    command = [sys.executable, "-m", "tinyseg", "serve", *options, "--port", "0"]
    with log.open("w") as errors:
        process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=errors, text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
    timer = threading.Timer(STARTS_IN, process.kill)
    timer.start()
    line = process.stdout.readline()
    timer.cancel()
    assert line, log.read_text()
    try:
        yield Server(process, int(line.split("/")[2].rpartition(":")[2]), line)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
        assert "Traceback" not in log.read_text()


@dataclasses.dataclass
class Load:
    """What clients were answered."""

    statuses: Counter
    seconds: list[float]
    whole: float

    def quantile(self, share: float) -> float:
        """Return the time that so many of the images were answered in."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def __str__(self) -> str:
        times = " ".join(f"p{100 * s:.0f} {1000 * self.quantile(s):.0f} ms" for s in (0.5, 0.99))
        rate = len(self.seconds) / self.whole
        return f"{dict(self.statuses)} in {self.whole:.0f} s, {rate:.1f} answers/s, {times}"


def load(
    server: Server, bodies: Sequence[tuple[bytes, str]], clients: int, seconds: float, most: int = 0
) -> Load:
    """Let clients ask again and again, for so long or so often."""
    statuses, times, lock = Counter(), [], threading.Lock()
    end, asked = time.monotonic() + seconds, [0]

    def work(number: int) -> None:
        while time.monotonic() < end:
            with lock:
                if most and asked[0] >= most:
                    return
                asked[0] += 1
                row = asked[0]
            body, kind = bodies[row % len(bodies)]
            start = time.monotonic()
            status, _ = server.invoke(body, kind)
            with lock:
                statuses[status] += 1
                if status == 200:
                    times.append(time.monotonic() - start)
            if status == 503:
                time.sleep(0.1)  # As the reason says.

    start = time.monotonic()
    threads = [threading.Thread(target=work, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Load(statuses, times, time.monotonic() - start)
