"""Stores: whole or not at all, in fsspec's memory and in one like S3."""

import contextlib
import uuid

import fsspec
import numpy as np
import pytest
from PIL import Image

from tests.stores_s3 import moto, new_bucket
from tinyseg.data.remote import UNFINISHED, fetch
from tinyseg.errors import InputError
from tinyseg.steps.images import stage_images
from tinyseg.stores import STATE, Store, new_folder, run_folder


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYSEG_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def s3():
    with pytest.MonkeyPatch.context() as patch, moto() as variables:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield new_bucket(variables)


@pytest.fixture(params=["memory", "s3"])
def url(request):
    if request.param == "memory":
        return f"memory://{uuid.uuid4()}/a"
    return f"{request.getfixturevalue('s3')}/{uuid.uuid4()}"


def folder_of(path, **contents):
    for name, text in contents.items():
        file = path / name.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return path


def held(url):
    system, path = fsspec.core.url_to_fs(url)
    system.invalidate_cache()
    try:
        found = system.find(path)
    except FileNotFoundError:
        return {}
    return {name.removeprefix(f"{path}/"): system.cat_file(name).decode() for name in found}


class Broken(Exception):
    pass


def breaking(store, monkeypatch, after):
    """Let a store fail after so many files."""
    system, count = store._system, [0]
    put = type(system).put_file

    def fail(local, remote, **options):
        count[0] += 1
        if count[0] > after:
            raise Broken("the line is cut")
        return put(system, local, remote, **options)

    monkeypatch.setattr(system, "put_file", fail)


def test_a_folder_and_its_successor(url, tmp_path):
    store = Store(url)
    store.upload(folder_of(tmp_path / "one", a="1", deep__b="2"))
    assert held(url) == {"a": "1", "deep/b": "2"}
    store.upload(folder_of(tmp_path / "two", a="3", c="4"))
    assert held(url) == {"a": "3", "c": "4"}
    assert store.restore(tmp_path / "back")
    assert (tmp_path / "back/c").read_text() == "4"
    with pytest.raises(InputError, match="exists already"):
        store.need_empty()


def test_an_upload_that_breaks_off_leaves_nothing(url, tmp_path, monkeypatch):
    folder, store = folder_of(tmp_path / "one", a="1", b="2", c="3"), Store(url)
    with monkeypatch.context() as patch:
        breaking(store, patch, after=2)
        with pytest.raises(InputError, match=r"cannot be reached \(the line is cut\)"):
            store.upload(folder)
    assert held(url) == {}
    assert not store.restore(tmp_path / "back")
    store.need_empty()


def test_readers_refuse_what_is_half_replaced(url, tmp_path, monkeypatch):
    store = Store(url)
    store.upload(folder_of(tmp_path / "one", a="1", b="1"))
    with monkeypatch.context() as patch:
        breaking(store, patch, after=2)
        with pytest.raises(InputError):
            store.upload(folder_of(tmp_path / "two", a="2", b="2"))
    assert UNFINISHED in held(url)
    for read in (lambda: fetch(url), lambda: store.restore(tmp_path / "back")):
        with pytest.raises(InputError, match="upload"):
            read()
    store.upload(tmp_path / "two")
    assert held(url) == {"a": "2", "b": "2"}


def test_a_state_is_one_object_that_the_results_replace(url, tmp_path):
    with contextlib.suppress(InputError), run_folder(url) as (folder, store):
        folder_of(folder, checkpoint__x="1")
        store.save_state(folder)
        folder_of(folder, checkpoint__x="2")
        raise InputError("stopped")
    assert set(held(url)) == {STATE}
    with run_folder(url) as (folder, _):
        assert (folder / "checkpoint/x").read_text() == "2"
        folder_of(folder, weights="3")
    assert held(url) == {"checkpoint/x": "2", "weights": "3"}
    assert not folder.exists()


def test_a_path_is_itself(tmp_path):
    with run_folder(tmp_path / "run") as (folder, store):
        assert (folder, store) == (tmp_path / "run", None)
    with run_folder(None) as found:
        assert found == (None, None)
    with new_folder(tmp_path / "new") as folder:
        assert folder == tmp_path / "new"


def test_stores_that_there_are_not(tmp_path):
    with pytest.raises(InputError, match="unknown kind of address"):
        Store("nowhere://a/b")
    with pytest.raises(InputError, match="exists already"), new_folder(_full()):
        pytest.fail("was begun")


def _full():
    url = f"memory://{uuid.uuid4()}/a"
    fsspec.filesystem("memory").pipe_file(f"{url.removeprefix('memory:/')}/x", b"1")
    return url


def test_staged_images_come_back(url, tmp_path):
    staged = stage_images("phantom:count=12,size=32", url, {})
    assert staged["folder"] == url
    whole = sum(sum(counts.values()) for counts in staged["images"].values())
    assert whole == 12
    names = [name for name in held_names(url) if "train_images" in name]
    assert len(names) == sum(staged["images"]["train"].values())
    folder = fetch(url)
    first = next(folder.rglob("train_images/train/*.png"))
    assert np.asarray(Image.open(first)).shape == (32, 32)


def held_names(url):
    system, path = fsspec.core.url_to_fs(url)
    return system.find(path)
