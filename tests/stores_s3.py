"""A store like S3 on this machine: moto's server."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator

import pytest


@contextlib.contextmanager
def moto() -> Iterator[dict[str, str]]:
    """Start a server and yield the variables by which AWS's clients find it."""
    code = (
        "from moto.moto_server.threaded_moto_server import ThreadedMotoServer as S\n"
        "import time\n"
        "s = S('127.0.0.1', 0, verbose=False)\n"
        "s.start()\n"
        "print(s.get_host_and_port()[1], flush=True)\n"
        "time.sleep(3600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            address = f"http://127.0.0.1:{server.stdout.readline().strip()}"
            yield {
                "AWS_ENDPOINT_URL_S3": address,
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_DEFAULT_REGION": "us-east-1",
            }
        finally:
            server.terminate()


def new_bucket(variables: dict[str, str]) -> str:
    """Make a bucket and return its URL."""
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    request = urllib.request.Request(f"{variables['AWS_ENDPOINT_URL_S3']}/{name}", method="PUT")
    for _ in range(50):
        with contextlib.suppress(OSError), urllib.request.urlopen(request, timeout=30):
            return f"s3://{name}"
        time.sleep(0.2)
    pytest.fail("moto does not answer")
