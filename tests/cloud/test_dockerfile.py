"""The steps of the Dockerfile on this machine: what it copies, installs, sets and starts."""

import json
import shutil
import subprocess
import urllib.request

import pytest

from tests.wheels import ROOT, build, clean, install

NETWORK = "attention_unet_ds_mcu"


def steps():
    """The instructions, with what follows each."""
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    return [line.split(" ", 1) for line in lines if line and not line.startswith("#")]


def of(instruction):
    return [rest for name, rest in steps() if name == instruction]


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """What the image holds: an environment and variables; its steps are run one by one."""
    home = tmp_path_factory.mktemp("image")
    (home / "tmp").mkdir()
    command = install(home / "environment", build(home))
    shutil.copy(ROOT / "constraints.txt", home)
    variables = clean()
    variables["PATH"] = f"{command.parent}:{variables['PATH']}"
    for name, rest in steps():
        if name == "COPY":
            *patterns, target = rest.split()
            found = [sorted(home.glob(pattern)) for pattern in patterns]
            assert all(found), rest
            for path in (path for paths in found for path in paths):
                shutil.copy(path, home / target.strip("/"))
        elif name == "RUN" and " pip install " in rest:
            # What is needed is here, so that nothing is fetched: the versions have to fit.
            line = rest.replace("/tmp/", f"{home}/tmp/")
            line = line.replace("pip install", "pip install --no-index")
            done = subprocess.run(
                ["sh", "-ec", line], cwd=home, env=variables, capture_output=True, text=True,
                check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
        elif name == "ENV":
            variables |= dict(pair.split("=", 1) for pair in rest.split())
    variables["TINYSEG_CACHE"] = str(home / "cache")
    return home, variables


def started(image, *arguments, **more):
    """What the container runs."""
    home, variables = image
    (entry,) = map(json.loads, of("ENTRYPOINT"))
    words = arguments or json.loads(of("CMD")[0])
    return [*entry, *words], {"cwd": home / "tmp", "env": {**variables, **more}, "text": True}


def test_its_python_and_packages(image):
    (base,) = of("FROM")
    assert base.startswith("python:3.11-")
    (apt,) = [rest for rest in of("RUN") if "apt-get" in rest]
    assert " g++ " in apt
    assert apt.endswith("rm -rf /var/lib/apt/lists/*")
    assert of("EXPOSE") == ["8080"]


def test_a_verb(image):
    command, options = started(image, "zoo", NETWORK)
    done = subprocess.run(command, **options, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert NETWORK in done.stdout


def test_serve_without_a_model_says_what_is_missing(image, tmp_path):
    command, options = started(image, TINYSEG_ML_ROOT=str(tmp_path))
    done = subprocess.run(command, **options, capture_output=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"tinyseg: {tmp_path}/model: has to hold one .tflite file")


@pytest.mark.slow
def test_serve(image, tmp_path):
    folder = ROOT / "models" / NETWORK / "phantom"
    (tmp_path / "model").mkdir()
    shutil.copy(folder / f"{NETWORK}.tflite", tmp_path / "model")
    more = {"TINYSEG_ML_ROOT": str(tmp_path), "TINYSEG_REPLICAS": "1:1"}
    command, options = started(image, SAGEMAKER_BIND_TO_PORT="0", **more)
    with subprocess.Popen(command, **options, stdout=subprocess.PIPE) as server:
        try:
            url = server.stdout.readline().split()[0].replace("0.0.0.0", "127.0.0.1")
            with urllib.request.urlopen(url.replace("invocations", "ping"), timeout=60) as answer:
                assert answer.status == 200
        finally:
            server.terminate()
        assert server.wait(30) == 0
