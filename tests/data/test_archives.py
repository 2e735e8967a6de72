import gzip
import io
import stat
import struct
import tarfile
import zipfile

import pytest

from tests.data.makers import make_busi
from tinyseg.data import archives, load
from tinyseg.errors import InputError


def as_zip(path, entries):
    """Write a zip; an entry is a name and bytes, or a ready ZipInfo and bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


def as_tar(path, entries):
    """Write a tar.gz; an entry is a name and bytes, or a ready TarInfo and bytes."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in entries:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = info.size or len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


WRITERS = {"set.zip": as_zip, "set.tar.gz": as_tar}


@pytest.fixture(params=WRITERS)
def pack(request, tmp_path):
    """Write an archive of one kind."""
    return lambda *entries: WRITERS[request.param](tmp_path / request.param, entries)


@pytest.fixture
def target(tmp_path):
    folder = tmp_path / "inner/target"
    folder.mkdir(parents=True)
    return folder


def refused(archive, target, reason):
    """Assert that unpacking stops with one line and nothing outside the folder."""
    before = {path for path in target.parent.parent.rglob("*") if target not in path.parents}
    with pytest.raises(InputError, match=reason) as caught:
        archives.unpack_archive(archive, target)
    assert str(caught.value).startswith(str(archive))
    assert "\n" not in str(caught.value)
    after = {path for path in target.parent.parent.rglob("*") if target not in path.parents}
    assert after == before


def test_files_come_out_as_they_went_in(pack, target):
    archives.unpack_archive(
        pack(("a/b.txt", b"one"), ("c d (1).txt", b"two"), ("a/e", b"")), target
    )
    found = {str(p.relative_to(target)): p.read_bytes() for p in target.rglob("*") if p.is_file()}
    assert found == {"a/b.txt": b"one", "c d (1).txt": b"two", "a/e": b""}


@pytest.mark.parametrize(
    "name", ["../evil", "a/../../evil", "/tmp/evil", "..\\evil", "C:\\evil", "C:/evil", ".."]
)
def test_names_that_lead_out_are_refused(pack, target, name):
    refused(pack(("good", b"1"), (name, b"2")), target, "leads out of its folder")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_tar_links_and_devices_are_refused(tmp_path, target, kind):
    link = tarfile.TarInfo("link")
    link.type, link.linkname = kind, "/etc/passwd"
    refused(as_tar(tmp_path / "x.tar.gz", [(link, b"")]), target, "'link' is a link or device")


def test_writing_through_a_tar_link_is_refused(tmp_path, target):
    link = tarfile.TarInfo("out")
    link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
    refused(as_tar(tmp_path / "x.tar.gz", [(link, b""), ("out/evil", b"1")]), target, "is a link")


def test_zip_links_are_refused(tmp_path, target):
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    refused(as_zip(tmp_path / "x.zip", [(link, b"/etc/passwd")]), target, "is a link or device")


def claim(path, size):
    """Change the size that a zip's directory gives for its first file."""
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, content.index(b"PK\x01\x02") + 24, size)
    path.write_bytes(content)


def test_zip_bomb_is_refused_by_its_directory(tmp_path, target):
    path = as_zip(tmp_path / "x.zip", [("a.png", bytes(1 << 20))])
    claim(path, 3 << 30)
    refused(path, target, r"unpacks to 3072 MiB or more in 1 files, like a bomb; unpack it by hand")
    assert list(target.iterdir()) == []


def test_tar_bomb_is_refused_by_its_header(tmp_path, target):
    huge = tarfile.TarInfo("huge.png")
    huge.size = 1 << 40
    with tarfile.open(tmp_path / "raw.tar", "w") as archive:
        archive.fileobj.write(huge.tobuf())
    packed = tmp_path / "x.tar.gz"
    packed.write_bytes(gzip.compress((tmp_path / "raw.tar").read_bytes()))
    (tmp_path / "raw.tar").unlink()
    refused(packed, target, "unpacks to 1048576 MiB or more")


def test_zip_that_lies_about_sizes_is_refused(tmp_path, target):
    path = as_zip(tmp_path / "x.zip", [("a.png", bytes(100_000))])
    claim(path, 10)
    refused(path, target, "cannot be unpacked")
    assert all(p.stat().st_size <= 10 for p in target.iterdir())


@pytest.mark.parametrize("share", [0.3, 0.7, 0.97])
def test_partial_archive_is_refused(pack, target, share):
    entries = [(f"{n}.bin", bytes(range(256)) * 40) for n in range(20)]
    path = pack(*entries)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    refused(path, target, "fetch it again")


def test_damaged_archive_is_refused(pack, target):
    path = pack(("a.bin", bytes(range(256)) * 400))
    content = bytearray(path.read_bytes())
    for place in range(60, 120):
        content[place] ^= 0x55
    path.write_bytes(content)
    refused(path, target, "fetch it again")


@pytest.mark.parametrize("content", [b"", b"no archive at all" * 100])
@pytest.mark.parametrize("name", ["x.zip", "x.tar.gz"])
def test_what_is_no_archive_is_refused(tmp_path, target, name, content):
    (tmp_path / name).write_bytes(content)
    refused(tmp_path / name, target, "is empty|is truncated or no zip or tar file")


def test_encrypted_zip_is_refused(tmp_path, target):
    path = as_zip(tmp_path / "x.zip", [("a.png", b"123")])
    content = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + offset] |= 1
    path.write_bytes(content)
    refused(path, target, "is encrypted; unpack it and give the folder")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_that_come_twice_are_refused(pack, target):
    refused(pack(("a.png", b"1"), ("a.png", b"2")), target, "holds 'a.png' twice")
    assert (target / "a.png").read_bytes() == b"1"


def test_file_that_is_also_a_folder_is_refused(pack, target):
    refused(pack(("a", b"1"), ("a/b", b"2")), target, "cannot be unpacked")


def test_litter_of_other_systems_is_left_out(pack, target):
    archives.unpack_archive(
        pack(("a.png", b"1"), ("__MACOSX/._a.png", b"2"), ("b/._c.png", b"3"), (".DS_Store", b"4")),
        target,
    )
    assert [p.name for p in target.rglob("*") if p.is_file()] == ["a.png"]


# As a dataset


@pytest.mark.parametrize("wrap", ["", "Dataset_BUSI_with_GT", "one/two"])
def test_archive_is_a_dataset(tmp_path, pack, wrap, cache):
    make_busi(tmp_path / "plain")
    plain = load(tmp_path / "plain")
    files = sorted(p for p in (tmp_path / "plain").rglob("*.png"))
    prefix = f"{wrap}/" if wrap else ""
    names = [f"{prefix}{p.relative_to(tmp_path / 'plain')}" for p in files]
    path = pack(*zip(names, (p.read_bytes() for p in files), strict=True))
    dataset = load(path)
    assert dataset.fingerprint() == plain.fingerprint()
    assert cache in dataset.root.parents
    assert load(f"{path}:task=classification").classes == ("benign", "malignant")


def test_unsafe_archive_leaves_nothing_in_the_cache(pack, cache):
    path = pack(("images/1.png", b"1"), ("../evil", b"2"))
    with pytest.raises(InputError, match="leads out of its folder"):
        load(path)
    assert not [p for p in cache.rglob("*") if p.is_file()]


def test_another_archive_of_the_same_name_is_unpacked_anew(tmp_path):
    make_busi(tmp_path / "plain")
    files = sorted(p for p in (tmp_path / "plain").rglob("*.png"))
    entries = [(str(p.relative_to(tmp_path / "plain")), p.read_bytes()) for p in files]
    assert len(load(as_zip(tmp_path / "x.zip", entries))) == 10
    assert len(load(as_zip(tmp_path / "x.zip", entries[:8]))) == 4


def test_archive_of_an_unknown_layout_is_named(pack):
    path = pack(("notes.txt", b"1"))
    with pytest.raises(InputError, match=f"^{path}: no images and masks found; expected"):
        load(path)


def test_local_file_that_is_no_archive_is_refused(tmp_path):
    (tmp_path / "images.rar").write_bytes(b"1")
    with pytest.raises(InputError, match=r"images\.rar: is a file; give a folder or an archive"):
        load(tmp_path / "images.rar")
