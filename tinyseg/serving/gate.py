"""Who may wait: what cannot be answered soon is refused at the proxy, before it costs anything."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from tinyseg.serving.reply import refused

# By which Ray's proxy, a process of its own, is told what to let in.
VARIABLE, CALLBACK = "TINYSEG_SERVE_GATE", "tinyseg.serving.gate.middlewares"
# Enough for more replicas to be asked for, however slow one is.
_LEAST = 2
# Weight of the latest answer in the mean time between answers.
_LATEST = 0.2
# Of a body that is refused; a client that still sends would not see why.
_DRAINED_BYTES = 1 << 20

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_App = Callable[[_Message, _Receive, _Send], Awaitable[None]]


class Gate:
    """Lets requests for ``/invocations`` in while they will be answered in time; else 503.

    A request waits for those before it: their number times the mean time between two answers. That
    is measured, so that the time holds on slow and busy machines too, where fewer may wait.

    Args:
        app: what answers.
        most: requests inside.
        seconds: that a request may be expected to take; two are let in whatever they take.
        clock: seconds that never go back.
    """

    def __init__(
        self, app: _App, most: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._app, self._most, self._seconds, self._clock = app, most, seconds, clock
        self._inside, self._pace, self._since = 0, 0.0, 0.0

    async def __call__(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["path"].rstrip("/") != "/invocations":
            await self._app(scope, receive, send)
            return
        if self._full():
            await _refuse(receive, send)
            return
        if not self._inside:
            self._since = self._clock()
        self._inside += 1
        inside = True

        def leave() -> None:
            nonlocal inside
            if inside:
                inside = False
                self._leave()

        async def send_and_leave(message: _Message) -> None:
            # Before the client can ask again, which it may do before the app is done.
            if message["type"] == "http.response.body" and not message.get("more_body"):
                leave()
            await send(message)

        try:
            await self._app(scope, receive, send_and_leave)
        finally:
            leave()

    def _leave(self) -> None:
        self._inside -= 1
        now = self._clock()
        self._pace += _LATEST * (now - self._since - self._pace)
        self._since = now

    def _full(self) -> bool:
        if self._inside >= self._most:
            return True
        # Where nothing comes out any more the mean of the past says too little.
        pace = max(self._pace, self._clock() - self._since)
        return self._inside >= _LEAST and (self._inside + 1) * pace > self._seconds


async def _refuse(receive: _Receive, send: _Send) -> None:
    drained, more = 0, True
    while more and drained < _DRAINED_BYTES:
        message = await receive()
        drained += len(message.get("body", b""))
        more = message.get("more_body", False)
    answer = refused(503, "busy: as many requests wait as can be answered soon; try again later")
    headers = [(b"content-type", answer.kind.encode()), (b"retry-after", b"1")]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.content})


def variables(most: int, seconds: float) -> dict[str, str]:
    """Return the environment in which Ray's proxies have a gate."""
    return {
        "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": CALLBACK,
        VARIABLE: json.dumps({"most": most, "seconds": seconds}),
    }


def middlewares() -> list[Any]:
    """Return what Ray puts before its proxy."""
    from starlette.middleware import Middleware

    return [Middleware(Gate, **json.loads(os.environ[VARIABLE]))]
