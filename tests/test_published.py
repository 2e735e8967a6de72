"""Published networks that an installation lists but does not hold."""

import hashlib

import pytest

import tinyseg
from tinyseg import places, presets, published
from tinyseg.errors import InputError

CONTENT = {
    "net/phantom/net.tflite": b"file",
    "net/phantom/weights.h5": b"weights",
    "net/busi/weights.h5": b"weights of busi",
}


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A folder with published networks, which TINYSEG_MODELS names, and a list of them."""
    listed = tmp_path / "site" / "tinyseg" / "models" / "SHA256SUMS"
    listed.parent.mkdir(parents=True)
    lines = [f"{hashlib.sha256(v).hexdigest()}  {name}\n" for name, v in CONTENT.items()]
    listed.write_text("".join(lines))
    for name, content in CONTENT.items():
        path = tmp_path / "shop" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "run").mkdir()
    monkeypatch.chdir(tmp_path / "run")
    monkeypatch.setattr(tinyseg, "__file__", str(listed.parents[1] / "__init__.py"))
    monkeypatch.setenv("TINYSEG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TINYSEG_MODELS", str(tmp_path / "shop"))
    return tmp_path / "shop"


def test_files_are_fetched_as_one_folder_of_the_nearest_data(shop):
    found = presets.find_weights("net", "busi")
    assert found.read_bytes() == b"weights of busi"
    assert presets.find_weights("net", "dsb2018").read_bytes() == b"weights"
    file = presets.find_tflite("net", None, "static_wi8_ai8")
    assert file.read_bytes() == b"file"
    assert (file.parent / "weights.h5").is_file()
    # Only phantoms have a file.
    assert presets.find_tflite("net", "busi", "static_wi8_ai8") == file


def test_they_are_fetched_once(shop, monkeypatch):
    found = presets.find_weights("net", "phantom")
    monkeypatch.delenv("TINYSEG_MODELS")
    assert presets.find_weights("net", "phantom") == found
    assert published.fetch("net", "phantom") == found.parent
    digest = hashlib.sha256(b"weights").hexdigest()
    assert presets.weights_by_hash("net", digest) == found


def test_url(shop, monkeypatch):
    import fsspec

    system = fsspec.filesystem("memory")
    for name, content in CONTENT.items():
        system.pipe(f"/published/{name}", content)
    monkeypatch.setenv("TINYSEG_MODELS", "memory://published/")
    assert presets.find_weights("net", "busi").read_bytes() == b"weights of busi"


def test_nothing_says_where_they_are(shop, monkeypatch):
    monkeypatch.delenv("TINYSEG_MODELS")
    with pytest.raises(InputError, match=r"net: its published files .* set TINYSEG_MODELS"):
        presets.find_weights("net", "phantom")
    with pytest.raises(InputError, match="run 'tinyseg train other'"):
        presets.find_weights("other", "phantom")


def test_changed_file_is_refused_and_nothing_stays(shop):
    path = shop / "net/phantom/weights.h5"
    path.write_bytes(b"Weights")
    with pytest.raises(InputError) as caught:
        presets.find_tflite("net", None, "static_wi8_ai8")
    assert str(caught.value).startswith(f"{path}: its SHA-256 is ")
    assert not published.fetched_folder().joinpath("net", "phantom").exists()
    assert list(published.fetched_folder().joinpath("net").iterdir()) == []


def test_missing_file_is_named(shop):
    path = shop / "net/busi/weights.h5"
    path.unlink()
    with pytest.raises(InputError, match=f"{path}: no such file"):
        presets.find_weights("net", "busi")


def test_another_release_fetches_anew(shop):
    before = presets.find_weights("net", "phantom")
    with places.models_list().open("a") as stream:
        stream.write(f"{'0' * 64}  other/phantom/weights.h5\n")
    after = presets.find_weights("net", "phantom")
    assert after != before
    assert after.read_bytes() == before.read_bytes()


def test_checkout_lists_nothing():
    assert published.listed("attention_unet_ds") == {}
