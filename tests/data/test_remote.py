import contextlib
import functools
import http.server
import json
import shutil
import sys
import threading
import uuid
import zipfile
from pathlib import Path

import fsspec
import pytest

from tests.data.makers import make_brats_h5, make_busi
from tinyseg import files
from tinyseg.data import load
from tinyseg.data.check import check
from tinyseg.data.remote import fetch
from tinyseg.errors import InputError


@pytest.fixture
def busi(tmp_path):
    make_busi(tmp_path / "busi")
    return tmp_path / "busi"


@pytest.fixture
def packed(busi, tmp_path):
    """The dataset in an archive with an outer folder."""
    path = tmp_path / "packed/busi.zip"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        for image in sorted(busi.rglob("*.png")):
            archive.write(image, f"outer/{image.relative_to(busi)}")
    return path


@pytest.fixture
def memory():
    """An address in fsspec's memory, a place of the test's own."""
    address = f"memory://{uuid.uuid4()}"
    yield address
    system = fsspec.filesystem("memory")
    with contextlib.suppress(FileNotFoundError):
        system.rm(address.removeprefix("memory:/"), recursive=True)


def upload(folder, address):
    system = fsspec.filesystem("memory")
    for path in folder.rglob("*.*"):
        if path.is_file():
            name = f"{address.removeprefix('memory:/')}/{path.relative_to(folder)}"
            system.pipe_file(name, path.read_bytes())


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves files; ``/cut/`` breaks off half way, ``/busy/`` gives errors."""

    requests: list

    def do_GET(self):
        self.requests.append(self.path)
        if self.path.startswith("/busy/"):
            self.send_error(503)
        elif self.path.startswith("/cut/"):
            content = Path(self.translate_path(self.path.removeprefix("/cut"))).read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
        else:
            super().do_GET()

    def log_message(self, *_):
        pass


@pytest.fixture
def server(packed):
    """A web server's address and the requests that it got."""
    requests = []
    handler = type("Own", (Handler,), {"requests": requests})
    own = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(handler, directory=packed.parent)
    )
    thread = threading.Thread(target=own.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{own.server_address[1]}", requests
    own.shutdown()
    thread.join()
    own.server_close()


def left(cache):
    return [path for path in cache.rglob("*") if path.is_file()]


def test_folder_is_fetched_once_and_equals_the_original(busi, memory, cache):
    upload(busi, memory)
    dataset = load(memory)
    assert dataset.fingerprint() == load(busi).fingerprint()
    assert cache in dataset.root.parents
    fsspec.filesystem("memory").rm(memory.removeprefix("memory:/"), recursive=True)
    assert load(memory).fingerprint() == dataset.fingerprint()


def test_layouts_with_other_files_come_whole(tmp_path, memory):
    make_brats_h5(tmp_path / "h5")
    upload(tmp_path / "h5", memory)
    assert load(f"{memory}:slices=1").fingerprint() == load(f"{tmp_path}/h5:slices=1").fingerprint()


@pytest.mark.parametrize("kind", ["file", "memory", "http"])
def test_archive_from_anywhere(busi, packed, memory, server, kind):
    upload(packed.parent, memory)
    address = {"file": f"file://{packed.parent}", "memory": memory, "http": server[0]}[kind]
    digest = files.sha256(packed)
    for source in (f"{address}/busi.zip", f"{address}/busi.zip:sha256={digest.upper()}"):
        dataset = load(source)
        assert dataset.fingerprint() == load(busi).fingerprint()
        manifest = json.loads((dataset.root.parents[1] / "source.json").read_text())
        assert manifest["sha256"] == digest
        assert manifest["source"] == f"{address}/busi.zip"
        assert len(manifest["files"]) == 20
    assert check(f"{address}/busi.zip").ok


def test_web_archive_is_fetched_once(server):
    address, requests = server
    load(f"{address}/busi.zip")
    count = len(requests)
    load(f"{address}/busi.zip")
    assert len(requests) == count


def test_wrong_hash_is_refused(packed, cache):
    wrong = "0" * 64
    with pytest.raises(InputError, match=f"its SHA-256 is {files.sha256(packed)}, not {wrong}; "):
        load(f"file://{packed}:sha256={wrong}")
    assert left(cache) == []


def test_hash_of_a_local_archive_is_checked_too(packed):
    assert len(load(f"{packed}:sha256={files.sha256(packed)}")) == 10
    with pytest.raises(InputError, match="its SHA-256 is"):
        load(f"{packed}:sha256=12")


def test_partial_download_is_refused_and_can_be_repeated(server, cache):
    address, _ = server
    with pytest.raises(InputError, match=r"^http://.*/busi\.zip: .*; try again$") as caught:
        load(f"{address}/cut/busi.zip")
    assert "\n" not in str(caught.value)
    assert left(cache) == []
    assert len(load(f"{address}/busi.zip")) == 10


def test_server_errors_are_one_line(server, cache):
    with pytest.raises(InputError, match=r"busy/busi\.zip: cannot be fetched \(.*503.*\); try"):
        load(f"{server[0]}/busy/busi.zip")
    with pytest.raises(InputError, match=r"absent\.zip: cannot be fetched \(.*404"):
        load(f"{server[0]}/absent.zip")
    assert left(cache) == []


def test_truncated_archive_names_the_address(packed, memory, cache):
    content = packed.read_bytes()
    fsspec.filesystem("memory").pipe_file(f"{memory[8:]}/x.zip", content[: len(content) // 2])
    with pytest.raises(InputError, match=rf"^{memory}/x\.zip: is truncated or no zip or tar"):
        load(f"{memory}/x.zip")
    assert left(cache) == []


def test_no_server_is_one_line(cache):
    with pytest.raises(InputError, match=r"^http://127\.0\.0\.1:9/x\.zip: cannot be fetched"):
        load("http://127.0.0.1:9/x.zip")


def test_damaged_copy_is_fetched_again(busi, memory):
    upload(busi, memory)
    dataset = load(memory)
    first = dataset.samples[0].image
    first.write_bytes(first.read_bytes()[:-3])
    assert load(memory).fingerprint() == load(busi).fingerprint()
    first.unlink()
    assert load(memory).fingerprint() == load(busi).fingerprint()
    (first.parents[2] / "source.json").write_text("{}")
    assert load(memory).fingerprint() == load(busi).fingerprint()


def test_names_that_lead_out_of_the_folder_are_refused(memory, cache, tmp_path):
    fsspec.filesystem("memory").store[f"{memory[8:]}/set/../../evil"] = (
        fsspec.implementations.memory.MemoryFile(None, "evil", b"x")
    )
    with pytest.raises(InputError, match="leads out of its folder"):
        fetch(f"{memory}/set")
    assert left(cache) == []


@pytest.mark.parametrize("place", ["memory://nothing-here", "file:///nothing/here"])
def test_absent_folder_is_refused(place):
    with pytest.raises(InputError, match=f"^{place}: no such (file or )?folder"):
        load(place)


def test_unknown_layout_names_the_address(memory):
    fsspec.filesystem("memory").pipe_file(f"{memory[8:]}/notes.txt", b"1")
    with pytest.raises(InputError, match=f"^{memory}: no images and masks found; expected"):
        load(memory)


def test_unknown_kind_of_address_is_refused():
    with pytest.raises(InputError, match=r"^carrier://pigeon: unknown kind of address"):
        load("carrier://pigeon")


@pytest.mark.parametrize(("scheme", "package"), [("s3", "s3fs"), ("gs", "gcsfs")])
def test_missing_package_is_named(scheme, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    cure = rf"needs a client; pip install 'tinyseg\[{scheme}\]'"
    with pytest.raises(InputError, match=f"^{scheme}://bucket/x.zip: {cure}"):
        load(f"{scheme}://bucket/x.zip")


def test_hash_of_a_folder_is_refused(busi, memory):
    upload(busi, memory)
    with pytest.raises(InputError, match="is no archive, so that sha256= says nothing"):
        load(f"{memory}:sha256=12")


def test_interrupted_fetch_leaves_nothing(busi, memory, cache, monkeypatch):
    upload(busi, memory)

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", stop)
        with pytest.raises(KeyboardInterrupt):
            load(memory)
    assert left(cache) == []
