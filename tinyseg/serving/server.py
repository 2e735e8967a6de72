"""A network on Ray Serve: as many replicas as the load asks for, and a door that counts."""

from __future__ import annotations

import dataclasses
import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tinyseg.errors import InputError
from tinyseg.serving.answers import Network, refused
from tinyseg.serving.bodies import MAX_BYTES
from tinyseg.serving.tally import KIND, Tally
from tinyseg.steps.border import Stated
from tinyseg.steps.session import Session

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

_NETWORK, _DOOR = "network", "door"
_STORE_BYTES = 100 * 2**20
# One image is computed while the next is read.
_AT_ONCE = 2
_STATUS_SECONDS = 1.0
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray gives workers 15, so that anything else on the machine would starve a server.
    "RAY_worker_niceness": "0",
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


@dataclasses.dataclass(frozen=True)
class Served:
    """Which network is served.

    Attributes:
        model_or_file: network's name or ``.tflite`` file.
        data, recipe: as of :meth:`tinyseg.steps.session.Session.open_file`.
        stated: what the user says of input and output.
        backend: see :class:`tinyseg.serving.answers.Network`.
    """

    model_or_file: str
    data: str | None
    recipe: str
    stated: Stated = dataclasses.field(default_factory=Stated)
    backend: str | None = None

    def open(self) -> Network:
        """Load the network.

        Raises:
            InputError: as of the session and :class:`tinyseg.serving.answers.Network`.
        """
        session = Session.open_file(self.model_or_file, self.data, self.recipe)
        return Network(session.stating(self.stated), self.backend)


@dataclasses.dataclass(frozen=True)
class Scale:
    """How many replicas there are, and how much they take.

    Attributes:
        least, most: replicas.
        up_seconds, down_seconds: how long the load has to last before replicas come and go.
        queue: requests that wait; more are answered 503.
        max_bytes: of a body; more is answered 413.
    """

    least: int = 1
    most: int = 1
    up_seconds: float = 10.0
    down_seconds: float = 60.0
    queue: int = 8
    max_bytes: int = MAX_BYTES


class NetworkReplica:
    """``POST /invocations``: one network in a process of its own.

    Args:
        served: which network.
        max_bytes: of a body.
        door: handle of the :class:`Door`, which counts.
    """

    def __init__(self, served: Served, max_bytes: int, door: Any) -> None:
        self._network, self._max_bytes, self._door = served.open(), max_bytes, door

    async def __call__(self, request: Request) -> Response:
        """Answer one request."""
        from starlette.concurrency import run_in_threadpool
        from starlette.responses import Response

        start, content = time.perf_counter(), bytearray()
        if request.method != "POST":
            answer = refused(405, f"{request.method}: only POST is answered")
        elif await _read(request, content, self._max_bytes):
            kind, accept = (request.headers.get(name, "") for name in ("content-type", "accept"))
            answer = await run_in_threadpool(self._network.answer, bytes(content), kind, accept)
        else:
            limit = f"{self._max_bytes / 2**20:g} MiB"
            answer = refused(413, f"the body is larger than {limit}; reduce the image")
        seconds = time.perf_counter() - start
        self._door.count.remote(answer.status, seconds, len(content))
        return Response(answer.content, answer.status, media_type=answer.kind)


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


async def _read(request: Request, content: bytearray, limit: int) -> bool:
    """Read a body; return whether it is within the limit. What lies beyond is not kept."""
    stated = request.headers.get("content-length", "0")
    if stated.isdigit() and int(stated) > limit:
        return False
    async for chunk in request.stream():
        content += chunk
        if len(content) > limit:
            content.clear()
            return False
    return True


def running_replicas() -> int:
    """Return how many replicas of the network run."""
    from ray import serve

    deployments = serve.status().applications[_NETWORK].deployments
    return deployments[_NETWORK].replica_states.get("RUNNING", 0)


def serve_network(
    served: Served, scale: Scale, host: str, port: int, started: Callable[[str], None]
) -> None:
    """Serve a network until SIGINT or SIGTERM.

    Args:
        served: which network.
        scale: how many replicas.
        host: address to listen on.
        port: TCP port; 0 takes a free one.
        started: called with a line for people once requests are answered.

    Raises:
        InputError: Ray is not installed, the network cannot be opened, or the port is taken.
    """
    os.environ.update({name: os.environ.get(name, v) for name, v in _ENVIRONMENT.items()})
    try:
        import ray
        from ray import serve
    except ImportError:
        raise InputError("serve: needs Ray; pip install 'tinyseg[cluster]'") from None

    about = served.open().about  # Here, so that what is wrong is said before anything starts.
    port = _free_port(host, port)
    ended = threading.Event()
    before = {n: signal.signal(n, lambda *_: ended.set()) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        ray.init(
            num_cpus=scale.most + 1,
            include_dashboard=False,
            object_store_memory=_STORE_BYTES,
            log_to_driver=False,
            logging_level="ERROR",
            _temp_dir=tempfile.mkdtemp(prefix="ts"),  # Short: sockets lie in it.
        )
        _start(serve, served, scale, host, port, about)
        started(f"http://{host}:{port}/invocations ({about['model']} on {about['kernels']})")
        ended.wait()
    finally:
        if ray.is_initialized():
            serve.shutdown()
            ray.shutdown()
        for number, handler in before.items():
            signal.signal(number, handler)


def _start(
    serve: Any, served: Served, scale: Scale, host: str, port: int, about: dict[str, str]
) -> None:
    quiet = {"log_level": "ERROR", "enable_access_log": False}
    serve.start(http_options={"host": host, "port": port}, logging_config=quiet)
    door = serve.deployment(Door, name=_DOOR, ray_actor_options={"num_cpus": 0})
    options = {"name": _DOOR, "route_prefix": "/", "logging_config": quiet}
    handle = serve.run(door.bind(about), **options)
    network = serve.deployment(
        NetworkReplica,
        name=_NETWORK,
        max_ongoing_requests=_AT_ONCE,
        max_queued_requests=scale.queue,
        ray_actor_options={"num_cpus": 1},
        health_check_period_s=2,
        graceful_shutdown_timeout_s=10,
        autoscaling_config={
            "min_replicas": scale.least,
            "max_replicas": scale.most,
            "target_ongoing_requests": 1,
            "upscale_delay_s": scale.up_seconds,
            "downscale_delay_s": scale.down_seconds,
            "metrics_interval_s": 1,
            "look_back_period_s": min(10.0, max(2.0, scale.up_seconds)),
        },
    )
    options = {"name": _NETWORK, "route_prefix": "/invocations", "logging_config": quiet}
    serve.run(network.bind(served, scale.max_bytes, handle), **options)


def _free_port(host: str, port: int) -> int:
    """Return the port if it is free, or a free one for 0.

    Raises:
        InputError: it is taken, or there is no such address here.
    """
    try:
        with socket.create_server((host, port)) as listener:
            return listener.getsockname()[1]
    except OSError as error:
        raise InputError(f"{host}:{port}: {error.strerror}; choose another --port") from None
