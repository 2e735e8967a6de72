"""Public data sets by name: fetched from a server that breaks off, counted, refused with a cure."""

import dataclasses
import http.server
import io
import threading
import zipfile

import numpy as np
import pytest
from PIL import Image

from tinyseg import data
from tinyseg.data import catalogue, download, layouts
from tinyseg.errors import InputError


def packed(count=3):
    """An archive of cells as the Data Science Bowl's, in a folder of its own."""
    stream = io.BytesIO()
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(stream, "w") as archive:
        for number in range(count):
            for kind, name, pixels in (
                ("images", f"n{number}", rng.integers(0, 255, (20, 24, 3), np.uint8)),
                ("masks", "one", np.eye(20, 24, dtype=np.uint8) * 255),
            ):
                file = io.BytesIO()
                Image.fromarray(pixels).save(file, "png")
                archive.writestr(f"stage1_train/n{number}/{kind}/{name}.png", file.getvalue())
    return stream.getvalue()


class Server(http.server.BaseHTTPRequestHandler):
    """Sends a part of the content, and the rest to whoever asks for it."""

    content, first, asked = b"", 0, []

    def do_GET(self):
        start = int(self.headers.get("Range", "bytes=0-")[6:-1])
        type(self).asked.append(start)
        if start >= len(self.content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(self.content) - start))
        self.end_headers()
        self.wfile.write(self.content[start : self.first if not start and self.first else None])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def address():
    Server.content, Server.first, Server.asked = packed(), 0, []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/cells.zip"
        server.shutdown()


def test_what_broke_off_goes_on(address, tmp_path):
    Server.first = 500
    with pytest.raises(InputError, match=r"broke off after 500 bytes .* goes on there"):
        download.fetch(address, tmp_path / "cells.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["cells.zip.part"]
    fetched = download.fetch(address, tmp_path / "cells.zip")
    assert fetched.read_bytes() == Server.content
    assert Server.asked == [0, 500]
    assert download.fetch("http://127.0.0.1:1/cells.zip", fetched) == fetched


def test_all_that_came_before_is_enough(address, tmp_path):
    (tmp_path / "cells.zip.part").write_bytes(Server.content)
    assert download.fetch(address, tmp_path / "cells.zip").read_bytes() == Server.content


def test_nobody_there(tmp_path):
    with pytest.raises(InputError, match="broke off after 0 bytes"):
        download.fetch("http://127.0.0.1:1/cells.zip", tmp_path / "cells.zip")


def cells(address, images=3):
    return dataclasses.replace(catalogue.SOURCES["dsb2018"], links=(address,), images=images)


def test_a_data_set_is_fetched_and_counted(address, tmp_path, monkeypatch):
    monkeypatch.setenv("TINYSEG_DATA", str(tmp_path))
    assert catalogue.get(cells(address)) == (tmp_path / "dsb2018", 3)
    assert len(data.load("dsb2018")) == 3
    asked = list(Server.asked)
    assert catalogue.get(cells(address)) == (tmp_path / "dsb2018", 3)
    assert Server.asked == asked
    assert not list(tmp_path.glob(".packed/*"))


def test_images_that_are_missing_are_counted_out(address, tmp_path):
    with pytest.raises(InputError, match="holds 3 images of 670"):
        catalogue.get(cells(address, images=670), tmp_path)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("brats_nifti", ["registered users", "https://www.smir.ch", "brats2015_nifti"]),
        ("busi", ["Kaggle", "https://scholar.cu.edu.eg", "busi"]),
    ],
)
def test_what_has_to_be_done_by_hand_is_said(name, words, tmp_path, monkeypatch):
    monkeypatch.delenv("KAGGLE_KEY", raising=False)
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "none"))
    with pytest.raises(InputError) as caught:
        catalogue.get(catalogue.SOURCES[name], tmp_path / "sets")
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)
    assert not (tmp_path / "sets").exists()


def test_what_kaggle_answers_is_said(tmp_path, monkeypatch):
    """Its own program is asked, with a token that it cannot know, wherever it is reached at all."""
    monkeypatch.setenv("KAGGLE_USERNAME", "nobody")
    monkeypatch.setenv("KAGGLE_KEY", "0" * 32)
    with pytest.raises(InputError, match=r"busi: Kaggle refuses \((?!no reason)") as caught:
        catalogue.get(catalogue.SOURCES["busi"], tmp_path / "sets")
    assert "\n" not in str(caught.value)
    assert "Traceback" not in str(caught.value)
    assert "download it from https://scholar.cu.edu.eg" in str(caught.value)


def test_without_a_place_it_is_asked_for(monkeypatch):
    monkeypatch.delenv("TINYSEG_DATA", raising=False)
    with pytest.raises(InputError, match="set TINYSEG_DATA"):
        catalogue.get(catalogue.SOURCES["busi"])


def test_every_source_is_a_name_that_data_takes():
    named = {name for name, layout in layouts.known().items() if layout.location}
    assert set(catalogue.SOURCES) <= named
    for source in catalogue.SOURCES.values():
        assert source.page.startswith("https://")
        assert source.terms
        assert source.citation
