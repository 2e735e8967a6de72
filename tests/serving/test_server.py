"""The server on Ray, as users start it."""

import io
import json
import os
import sys
import threading
import time
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from tests.commands import assert_bad_input, tinyseg
from tests.serving.load import load, serving
from tests.serving.malformed import MALFORMED
from tinyseg import data
from tinyseg.serving.bodies import PNG

NETWORK = "attention_unet_ds_mcu"


def test_what_is_wrong_is_said_before_anything_starts(tmp_path):
    for arguments, words in (
        ([NETWORK, "--replicas", "3:1"], ["--replicas 3:1", "MIN:MAX"]),
        (["no_such.tflite"], ["no_such.tflite", "no such file"]),
        ([NETWORK, "--host", "192.0.2.77"], ["192.0.2.77", "choose another --port"]),
    ):
        assert_bad_input(tinyseg("serve", *arguments, cwd=tmp_path), *words)


def test_without_ray(tmp_path):
    (tmp_path / "ray.py").write_text("raise ImportError('no ray')")
    path = f"{tmp_path}:{':'.join(sys.path)}"
    result = tinyseg("serve", NETWORK, cwd=tmp_path, PYTHONPATH=path)
    assert_bad_input(result, "needs Ray", "pip install 'tinyseg[cluster]'")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    options = ("--replicas", "1:2", "--up-after", "2", "--down-after", "4", "--max-mib", "4")
    with serving(tmp_path_factory.mktemp("serve"), NETWORK, *options) as running:
        yield running


@pytest.fixture(scope="module")
def scan():
    phantoms = data.load("phantom:count=4,size=180,seed=4")
    stream = io.BytesIO()
    Image.fromarray(phantoms.read(phantoms.samples[0])[0]).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.slow
class TestServer:
    def test_answers(self, server, scan):
        assert "tinyseg's engine" in server.line
        assert server.ask("GET", "/ping")[0] == 200
        status, mask = server.invoke(scan, PNG, "image/png")
        assert status == 200
        assert np.asarray(Image.open(io.BytesIO(mask))).shape == (180, 180)
        status, areas = server.invoke(scan, PNG)
        assert json.loads(areas)["regions"][0]["area_share"] < 1
        assert server.ask("GET", "/nothing")[0] == 404
        assert server.ask("GET", "/invocations")[0] == 405

    def test_malformed_bodies(self, server):
        bodies = list(MALFORMED.values())
        for number in range(200):
            kind, content, status = bodies[number % len(bodies)]
            assert server.invoke(content, kind)[0] == status
        assert server.invoke(bytes(100 << 20), PNG)[0] in (413, 0)
        assert server.invoke(bytes(5 << 20), PNG)[0] == 413
        assert server.ask("GET", "/ping")[0] == 200

    def test_load_is_refused_not_piled_up_and_replicas_follow_it(self, server, scan):
        others = os.getloadavg()[0]
        found = load(server, [(scan, PNG)], clients=40, seconds=60)
        print(f"\n40 clients beside a load of {others:.1f}: {found}")
        assert set(found.statuses) <= {200, 503}
        assert found.statuses[200]
        if others < 1:
            assert found.quantile(0.99) <= 2
        assert "tinyseg_replicas 2" in server.ask("GET", "/metrics")[1].decode()
        deadline = time.monotonic() + 120
        while b"tinyseg_replicas 1" not in server.ask("GET", "/metrics")[1]:
            assert time.monotonic() < deadline
            time.sleep(1)

    def test_a_killed_replica_is_replaced(self, server, scan):
        """Under load; only what it was computing is lost."""
        killed = []

        def kill():
            killed.extend(process.kill() for process in server.replicas())

        timer = threading.Timer(5, kill)
        timer.start()
        found = load(server, [(scan, PNG)], clients=8, seconds=60)
        assert killed
        lost = Counter({code: n for code, n in found.statuses.items() if code not in (200, 503)})
        print(f"\n{len(killed)} replicas killed: {found}")
        assert lost.total() <= 2 * len(killed)
        deadline = time.monotonic() + 180
        while server.invoke(scan, PNG)[0] != 200:
            assert time.monotonic() < deadline
            time.sleep(0.5)

    def test_memory_is_flat(self, server, scan):
        load(server, [(scan, PNG)], clients=2, seconds=600, most=200)
        before = sum(process.memory_info().rss for process in server.replicas())
        found = load(server, [(scan, PNG)], clients=2, seconds=3600, most=5_000)
        after = sum(process.memory_info().rss for process in server.replicas())
        print(f"\n5,000 requests: {found}; {before >> 20} to {after >> 20} MiB")
        assert after - before < 16 << 20
