"""A SageMaker job of two hosts, each a network namespace with an address of its own."""

import shutil
import subprocess

import pytest

from tests import commands
from tests.cloud.opt_ml import lay_out, put_images
from tests.training import worker_run

pytestmark = pytest.mark.slow
SMALL = {
    "model": "unet",
    "model.arguments.base_width": 2,
    "model.arguments.depth": 1,
    "size": 32,
    "preprocessing.channels": 1,
    "epochs": 2,
    "batch_size": 4,
    "recipe": "none",
}
ADDRESSES = ("10.87.65.1", "10.87.65.2")


def ip(*words):
    return subprocess.run(["ip", *words], capture_output=True, check=False).returncode == 0


@pytest.fixture
def spaces():
    """Two namespaces with a cable between them."""
    names = ("tinyseg-one", "tinyseg-two")
    if not shutil.which("ip") or not all(ip("netns", "add", name) for name in names):
        pytest.skip("no network namespaces here: they take 'ip' and root")
    try:
        end, other = ("dev", "ts-one"), ("name", "ts-two", "netns", names[1])
        assert ip("link", "add", *end, "netns", names[0], "type", "veth", "peer", *other)
        for name, device, address in zip(names, ("ts-one", "ts-two"), ADDRESSES, strict=True):
            assert ip("-n", name, "address", "add", f"{address}/24", "dev", device)
            assert ip("-n", name, "link", "set", device, "up")
            assert ip("-n", name, "link", "set", "lo", "up")
        yield names
    finally:
        for name in names:
            ip("netns", "delete", name)


def start(space, address, root):
    other = next(host for host in ADDRESSES if host != address)
    lay_out(root, SMALL, hosts=(address, other))
    put_images(root, 24, 32)
    return subprocess.Popen(
        ["ip", "netns", "exec", space, *commands.command("sagemaker-train", "--root", root)],
        env=commands.variables(root, {}), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_two_hosts_learn_what_one_learns_and_the_chief_leaves_it(spaces, tmp_path):
    roots = [tmp_path / name for name in spaces]
    hosts = [start(*each) for each in zip(spaces, ADDRESSES, roots, strict=True)]
    told = []
    for host in hosts:
        out, said = host.communicate(timeout=900)
        assert host.returncode == 0, said
        told.append(out)
    assert str(roots[0]) in told[0]
    assert not told[1]
    assert not list((roots[1] / "model").iterdir())
    alone = tmp_path / "alone"
    lay_out(alone, SMALL)
    put_images(alone, 24, 32)
    done = commands.tinyseg("sagemaker-train", "--root", alone, cwd=alone)
    assert done.returncode == 0, done.stderr
    files = [root / "model/weights.h5" for root in (alone, roots[0])]
    worker_run.assert_same_weights(*files, worker_run.BOUNDS["normalized"])
