"""What all tests share."""

import logging
import os
import shutil
import sys
from pathlib import Path

import hypothesis
import pytest

from tests import browsing
from tests.cluster import slurm_here

# Machines are noisy: how long an example takes tells nothing of the code. In CI the examples are
# the same every time, so that red means that the change broke something; elsewhere they are new.
hypothesis.settings.register_profile(
    "tinyseg", deadline=None, derandomize=os.environ.get("CI") == "true"
)
hypothesis.settings.load_profile("tinyseg")

ARM_TOOLS = ("arm-none-eabi-g++", "cmake", "ninja", "qemu-system-arm")


@pytest.fixture(autouse=True, scope="module")
def seeded():
    """Random initial weights are the same in every run, where Keras is in use at all."""
    if keras := sys.modules.get("tf_keras"):
        keras.utils.set_random_seed(0)


@pytest.fixture(autouse=True)
def untouched_log():
    """No test sets up the log for those after it; ``tests.in_process`` runs commands without."""
    yield
    log = logging.getLogger("tinyseg")
    touched = not log.propagate or log.handlers or log.level
    log.propagate, log.handlers = True, []
    log.setLevel(logging.NOTSET)
    assert not touched, "the log is set up for good; run the command by tests.in_process"


def need_tools(tools):
    """Leave out a test whose tools are missing; in CI, where ``make toolchain`` ran, fail it."""
    missing = [tool for tool in tools if not shutil.which(tool)]
    if missing:
        # Nobody reads a skip there: a check that never runs must not look passed.
        end = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        end(f"{', '.join(missing)} missing: make toolchain")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Leave out what this machine cannot run, before any fixture starts to build."""
    if item.get_closest_marker("arm"):
        need_tools(ARM_TOOLS)
    if item.get_closest_marker("slurm") and (missing := slurm_here.missing()):
        pytest.skip(f"{', '.join(missing)} missing: make slurm")
    if item.get_closest_marker("tflm"):
        root = os.environ.get("TFLM_ROOT")
        if not root or not Path(root).is_dir():
            pytest.skip("TFLM_ROOT does not name TensorFlow Lite Micro; see docs/firmware.md")


@pytest.fixture(scope="module")
def own_cache(tmp_path_factory):
    """A cache of decoded images that the tests of a module share."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYSEG_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def browser():
    """A browser without a window."""
    need_tools(browsing.TOOLS)
    with browsing.chromium() as started:
        yield started
