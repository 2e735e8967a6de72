"""Requests are let in while they will be answered in time."""

import asyncio
import json

import pytest

from tinyseg.serving.gate import Gate, middlewares, variables

HTTP = {"type": "http", "path": "/invocations"}


class Busy:
    """Answers one request after the other, each in so many seconds of a clock of its own."""

    def __init__(self, seconds):
        self.now, self.seconds, self.lock, self.body = 0.0, seconds, asyncio.Lock(), []

    def clock(self):
        return self.now

    async def __call__(self, scope, receive, send):
        async with self.lock:
            await asyncio.sleep(0)
            self.now += self.seconds
            await send({"type": "http.response.start", "status": 200})


async def ask(gate, scope=HTTP, body=(b"abc",)):
    """The status and, if it has one, the body of an answer."""
    sent, parts = [], list(body)

    async def receive():
        part = parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    async def send(message):
        sent.append(message)

    await gate(scope, receive, send)
    return sent[0]["status"], sent[-1].get("body", b""), parts


async def crowd(gate, count):
    return [status for status, _, _ in await asyncio.gather(*(ask(gate) for _ in range(count)))]


def statuses(seconds, most=10, limit=1.0, rounds=1, count=30):
    async def run():
        app = Busy(seconds)
        gate = Gate(app, most, limit, app.clock)
        return [await crowd(gate, count) for _ in range(rounds)][-1]

    return asyncio.run(run())


def test_no_more_than_so_many_wait():
    found = statuses(0.01)
    assert found.count(200) == 10
    assert found.count(503) == 20


@pytest.mark.parametrize(("seconds", "let_in"), [(0.05, 10), (0.2, 5), (0.4, 2), (5.0, 2)])
def test_slow_answers_leave_room_for_fewer(seconds, let_in):
    """Once the pace is known: after a few rounds."""
    found = statuses(seconds, rounds=30)
    assert found.count(200) == pytest.approx(let_in, abs=1)


def test_a_request_alone_is_always_let_in():
    assert statuses(9.0, rounds=20, count=1) == [200]


def test_nothing_more_is_let_in_while_nothing_comes_out():
    async def run():
        app = Busy(0.01)
        gate = Gate(app, 10, 1.0, app.clock)
        await app.lock.acquire()
        inside = [asyncio.create_task(ask(gate)) for _ in range(3)]
        await asyncio.sleep(0)
        app.now += 60
        late = await ask(gate)
        app.lock.release()
        return [status for status, _, _ in await asyncio.gather(*inside)], late[0]

    assert asyncio.run(run()) == ([200] * 3, 503)


def test_refusal_is_json_after_the_body_was_read():
    async def run():
        app = Busy(0.01)
        return await ask(Gate(app, 0, 1.0, app.clock), body=(b"a", b"b", b"c"))

    status, body, left = asyncio.run(run())
    assert (status, left) == (503, [])
    assert json.loads(body)["error"].startswith("busy: ")


@pytest.mark.parametrize("scope", [{"type": "http", "path": "/ping"}, {"type": "lifespan"}])
def test_others_pass(scope):
    async def run():
        app = Busy(0.01)
        return await ask(Gate(app, 0, 1.0, app.clock), scope)

    assert asyncio.run(run())[0] == 200


def test_a_client_that_asks_again_at_once_is_not_one_more():
    """It has its answer before the app is done."""

    async def lingering(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        await send({"type": "http.response.body", "body": b"b"})
        if ends:
            await asyncio.sleep(60)

    async def run():
        gate = Gate(lingering, 1, 1.0)
        first = asyncio.create_task(ask(gate))
        await asyncio.sleep(0)
        ends.clear()
        later = [(await ask(gate))[0] for _ in range(2)]
        first.cancel()
        return later

    ends = [True]
    assert asyncio.run(run()) == [200, 200]


def test_what_fails_leaves_too():
    async def broken(scope, receive, send):
        raise ConnectionError

    async def run():
        gate = Gate(broken, 1, 1.0)
        for _ in range(3):
            with pytest.raises(ConnectionError):
                await ask(gate)

    asyncio.run(run())


def test_the_proxy_is_told_by_its_environment(monkeypatch):
    for name, value in variables(12, 1.0).items():
        monkeypatch.setenv(name, value)
    (made,) = middlewares()
    assert made.cls is Gate
    assert made.kwargs == {"most": 12, "seconds": 1.0}
