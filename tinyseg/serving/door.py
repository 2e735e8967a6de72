"""The part of a server that is up whatever the load: pings, counts, and where there is nothing.

A process of its own, which imports little.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tinyseg.serving.reply import refused
from tinyseg.serving.tally import KIND, Tally

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

# Names of the applications at Ray Serve.
NETWORK, DOOR = "network", "door"
_STATUS_SECONDS = 1.0


class Door:
    """``GET /ping`` and ``GET /metrics``, beside the replicas so that load does not silence them.

    Args:
        about: see :class:`tinyseg.serving.tally.Tally`.
    """

    def __init__(self, about: dict[str, str]) -> None:
        self._tally, self._replicas, self._asked = Tally(about), 0, 0.0

    def count(self, status: int, seconds: float, size: int) -> None:
        """Count an answer of a replica."""
        self._tally.add(status, seconds, size)

    async def __call__(self, request: Request) -> Response:
        """Answer 200 to a ping if a replica runs, else 503; metrics; and 404 to all else."""
        from starlette.responses import Response

        path = request.url.path.rstrip("/")
        if path == "/metrics":
            return Response(self._tally.text(await self._running()), media_type=KIND)
        if path == "/ping":
            up = await self._running()
            answer = refused(200 if up else 503, "" if up else "no replica runs")
            return Response(b"\n" if up else answer.content, answer.status, media_type=answer.kind)
        answer = refused(404, f"{path or '/'}: there are POST /invocations, GET /ping and /metrics")
        return Response(answer.content, answer.status, media_type=answer.kind)

    async def _running(self) -> int:
        """Return how many replicas run; asked at most once a second."""
        from starlette.concurrency import run_in_threadpool

        if time.monotonic() - self._asked > _STATUS_SECONDS:
            self._replicas = await run_in_threadpool(running_replicas)
            self._asked = time.monotonic()
        return self._replicas


def running_replicas() -> int:
    """Return how many replicas of the network run."""
    from ray import serve

    deployments = serve.status().applications[NETWORK].deployments
    states = deployments[NETWORK].replica_states.items()
    return sum(count for state, count in states if state == "RUNNING")
