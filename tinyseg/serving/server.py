"""A network on Ray Serve: as many replicas as the load asks for, and a door that counts."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tinyseg.errors import InputError
from tinyseg.serving import gate
from tinyseg.serving.answers import Network
from tinyseg.serving.bodies import MAX_BYTES
from tinyseg.serving.door import DOOR, NETWORK, Door
from tinyseg.serving.reply import refused
from tinyseg.steps.border import Stated
from tinyseg.steps.session import Session

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

_STORE_BYTES = 100 * 2**20
# One image is computed while the next is read.
_AT_ONCE = 2
_STARTS = 5
# That a request may be expected to wait and take; what takes longer is refused.
_SECONDS = 1.0
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray gives workers 15, so that anything else on the machine would starve a server.
    "RAY_worker_niceness": "0",
    # A busy machine takes longer than the 5 seconds after which Ray starts its proxy anew.
    "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "120",
    "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S": "30",
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
    os.environ.update(gate.variables(scale.queue + _AT_ONCE * scale.most, _SECONDS))
    try:
        import ray
        from ray import serve
    except ImportError:
        raise InputError("serve: needs Ray; pip install 'tinyseg[cluster]'") from None

    about = served.open().about  # Here, so that what is wrong is said before anything starts.
    port = _free_port(host, port)
    ended = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    folder = tempfile.mkdtemp(prefix="ts")  # Short: sockets lie in it.
    try:
        _init(ray, scale.most + 1, folder)
        for number in before:  # After Ray, which sets handlers of its own.
            signal.signal(number, lambda *_: ended.set())
        _start(serve, served, scale, host, port, about)
        started(f"http://{host}:{port}/invocations ({about['model']} on {about['kernels']})")
        ended.wait()
    except (ray.exceptions.RayError, TimeoutError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"serve: Ray did not start ({reason}); try again") from None
    finally:
        if ray.is_initialized():
            serve.shutdown()
            ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)
        for number, handler in before.items():
            signal.signal(number, handler)


def _init(ray: Any, processes: int, folder: str) -> None:
    """Start Ray; on a busy machine it may give up after half a minute, and come up later."""
    for attempt in range(_STARTS):
        try:
            ray.init(
                num_cpus=processes,
                include_dashboard=False,
                object_store_memory=_STORE_BYTES,
                log_to_driver=False,
                logging_level=logging.CRITICAL,
                _temp_dir=folder,
            )
            return
        except Exception as error:  # Ray raises these bare.
            ray.shutdown()
            if attempt == _STARTS - 1 or "timed out" not in str(error):
                raise RuntimeError(str(error)) from None


def _start(
    serve: Any, served: Served, scale: Scale, host: str, port: int, about: dict[str, str]
) -> None:
    logging.getLogger("ray.serve").setLevel(logging.ERROR)
    quiet = {"log_level": "ERROR", "enable_access_log": False}
    _patiently(lambda: serve.start(http_options={"host": host, "port": port}, logging_config=quiet))
    door = serve.deployment(Door, name=DOOR, ray_actor_options={"num_cpus": 0})
    options = {"name": DOOR, "route_prefix": "/", "logging_config": quiet}
    handle = serve.run(door.bind(about), **options)
    network = serve.deployment(
        NetworkReplica,
        name=NETWORK,
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
    options = {"name": NETWORK, "route_prefix": "/invocations", "logging_config": quiet}
    serve.run(network.bind(served, scale.max_bytes, handle), **options)


def _patiently(start: Callable[[], object]) -> None:
    """Start what may not be up after Ray's minute on a busy machine; it goes on meanwhile."""
    import ray

    for _ in range(_STARTS - 1):
        with contextlib.suppress(ray.exceptions.GetTimeoutError):
            start()
            return
    start()


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
