"""What tests of the commands of boards share."""

import socket

import numpy as np

from tests import fixtures

SIZE = fixtures.SIZE


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def images():
    return (255 * fixtures.pictures(2, seed=4)).astype(np.uint8)
