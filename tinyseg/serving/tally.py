"""Counts of a server, as the text that Prometheus reads."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping

KIND = "text/plain; version=0.0.4; charset=utf-8"
# Upper ends of the histogram of answers, in seconds.
_ENDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Tally:
    """What a server has answered since it started.

    Args:
        about: labels of the network, see :class:`tinyseg.serving.answers.Network`.
    """

    def __init__(self, about: Mapping[str, str]) -> None:
        self.about = dict(about)
        self._started = time.time()
        self._lock = threading.Lock()
        self._statuses: Counter[int] = Counter()
        self._buckets: Counter[float] = Counter()
        self._seconds, self._bytes = 0.0, 0

    def add(self, status: int, seconds: float, size: int) -> None:
        """Count one answer.

        Args:
            status: of HTTP.
            seconds: from the first byte of the request to the answer.
            size: bytes of the request's body.
        """
        with self._lock:
            self._statuses[status] += 1
            self._buckets[next((end for end in _ENDS if seconds <= end), float("inf"))] += 1
            self._seconds += seconds
            self._bytes += size

    def text(self, replicas: int | None = None) -> str:
        """Return the counts.

        Args:
            replicas: that run now; None to leave them out.
        """
        with self._lock:
            statuses, buckets = dict(self._statuses), dict(self._buckets)
            seconds, size = self._seconds, self._bytes
        count = sum(statuses.values())
        labels = ",".join(f'{name}="{_quoted(value)}"' for name, value in self.about.items())
        lines = [
            *_heading("tinyseg_info", "gauge", "The network, and whose kernels run it."),
            f"tinyseg_info{{{labels}}} 1",
            *_heading("tinyseg_requests_total", "counter", "Requests that replicas answered."),
            *(f'tinyseg_requests_total{{status="{k}"}} {n}' for k, n in sorted(statuses.items())),
            *_heading("tinyseg_request_bytes_total", "counter", "Bytes of their bodies."),
            f"tinyseg_request_bytes_total {size}",
            *_heading("tinyseg_request_seconds", "histogram", "Seconds to their answers."),
        ]
        below = 0
        for end in (*_ENDS, float("inf")):
            below += buckets.get(end, 0)
            name = "+Inf" if end == float("inf") else f"{end:g}"
            lines.append(f'tinyseg_request_seconds_bucket{{le="{name}"}} {below}')
        lines += [
            f"tinyseg_request_seconds_sum {seconds:.6f}",
            f"tinyseg_request_seconds_count {count}",
            *_heading("tinyseg_up_seconds", "gauge", "Seconds since the server started."),
            f"tinyseg_up_seconds {time.time() - self._started:.0f}",
        ]
        if replicas is not None:
            lines += _heading("tinyseg_replicas", "gauge", "Replicas that run.")
            lines.append(f"tinyseg_replicas {replicas}")
        return "\n".join(lines) + "\n"


def _heading(name: str, kind: str, meaning: str) -> list[str]:
    return [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]


def _quoted(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
