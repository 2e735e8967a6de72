"""Networks, layouts and boards of an installed package, by entry points."""

import shutil
import sys
import textwrap

import numpy as np
import pytest
from PIL import Image

import tinyseg
from tinyseg import boards, data, extensions, zoo
from tinyseg.boards.build import compile_firmware
from tinyseg.boards.linker_script import text
from tinyseg.data import layouts
from tinyseg.errors import InputError

PACKAGE = """
    from pathlib import Path

    import tinyseg.data
    from tinyseg.data import Dataset, Sample
    from tinyseg.data.layouts.layout import Layout
    from tinyseg.zoo import Network


    def flat_net(input_shape, width=3, name="flat_net"):
        import tf_keras as keras

        if width < 1:
            raise ValueError("width is below 1")
        image = keras.Input(input_shape)
        features = keras.layers.Conv2D(width, 3, padding="same", activation="relu")(image)
        mask = keras.layers.Conv2D(1, 1, activation="sigmoid", name="mask")(features)
        return keras.Model(image, mask, name=name)


    def open_pairs(root):
        images = sorted(root.glob("*.scan.png"))
        samples = [Sample(i.stem, "", i, (i.with_name(i.name[:1] + ".truth.png"),)) for i in images]
        return Dataset("couples", tuple(samples), root), []


    NETWORK = Network(flat_net, "segmentation", (16, 16, 1))
    LAYOUT = Layout(lambda root: any(root.glob("*.scan.png")), open_pairs, "pairs_of_mine")
    BOARD = Path(__file__).with_name("tiny_board.toml")
"""
ENTRY_POINTS = """
    [tinyseg.networks]
    flat_net = mine_for_tinyseg:NETWORK
    unet = mine_for_tinyseg:NETWORK
    gone = mine_for_tinyseg:NOTHING
    wrong = mine_for_tinyseg:BOARD

    [tinyseg.layouts]
    couples = mine_for_tinyseg:LAYOUT

    [tinyseg.boards]
    tiny_board = mine_for_tinyseg:BOARD
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A distribution as pip installs it: its module, and a folder that describes it."""
    site = tmp_path / "site"
    about = site / "mine_for_tinyseg-1.0.dist-info"
    about.mkdir(parents=True)
    (site / "mine_for_tinyseg.py").write_text(textwrap.dedent(PACKAGE))
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: mine-for-tinyseg\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(textwrap.dedent(ENTRY_POINTS))
    ours = boards.board.__file__.replace("board.py", "nucleo_h743zi.toml")
    with open(ours) as stream:
        (site / "tiny_board.toml").write_text(stream.read())
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("TINYSEG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TINYSEG_DATA", str(tmp_path))
    yield site
    sys.modules.pop("mine_for_tinyseg", None)


@pytest.fixture
def pairs(tmp_path):
    """Images in that package's layout, below ``$TINYSEG_DATA``."""
    rng = np.random.default_rng(5)
    folder = tmp_path / "pairs_of_mine"
    folder.mkdir()
    for letter in "abcdefghijklmnop":
        pixels = rng.integers(0, 256, (16, 24), np.uint8)
        Image.fromarray(pixels).save(folder / f"{letter}.scan.png")
        Image.fromarray((pixels > 127).astype(np.uint8)).save(folder / f"{letter}.truth.png")
    return folder


def test_nothing_is_there_without_the_package():
    assert "flat_net" not in zoo.names()
    assert extensions.registered(zoo.GROUP, "flat_net", zoo.Network) is None
    with pytest.raises(InputError, match="flat_net: no such network"):
        zoo.network("flat_net")


def test_network(installed):
    assert zoo.names()[-3:] == ["flat_net", "gone", "wrong"]
    assert zoo.network("flat_net").input_shape == (16, 16, 1)
    assert tinyseg.build("flat_net", (8, 12, 1), width=5).count_params() == 5 * 10 + 6
    with pytest.raises(InputError, match="flat_net: no argument 'depth'; it takes width"):
        tinyseg.build("flat_net", depth=2)
    with pytest.raises(InputError, match="flat_net: width is below 1"):
        tinyseg.build("flat_net", width=0)
    # Ours keep their names.
    assert zoo.network("unet") is zoo.NETWORKS["unet"]


def test_what_cannot_be_imported_is_named(installed):
    with pytest.raises(InputError, match=r"gone = mine_for_tinyseg:NOTHING: .*AttributeError"):
        zoo.network("gone")
    with pytest.raises(InputError, match=r"wrong = .* is a \w*Path, .* takes a Network"):
        zoo.network("wrong")


def test_layout(installed, pairs):
    dataset = data.load(pairs)
    assert (dataset.name, len(dataset)) == ("couples", 16)
    image, mask = dataset.read(dataset.samples[2])
    assert np.array_equal(mask, image > 127)
    assert data.load("couples").samples == dataset.samples
    assert next(iter(layouts.known())) == "couples"


def test_board(installed):
    assert "tiny_board" in boards.board_names()
    board, like = boards.load_board("tiny_board"), boards.load_board("nucleo_h743zi")
    assert board.budget() == like.budget()
    assert not board.ported
    with pytest.raises(InputError, match="tiny_board: there is no firmware for it yet"):
        board.need_port()
    (installed / "tiny_board").mkdir()
    (installed / "tiny_board/board.cmake").write_text("")
    assert board.ported
    board.need_port()
    assert "boards/common/sections.ld" in text(board)
    (installed / "tiny_board/sections.ld").write_text("")
    assert str(installed / "tiny_board/sections.ld") in text(board)
    (installed / "tiny_board.toml").unlink()
    with pytest.raises(InputError, match=r"tiny_board\.toml"):
        boards.load_board("tiny_board")


@pytest.mark.arm
def test_firmware_of_a_board(installed, tmp_path):
    ours = boards.load_board("nucleo_h743zi").folder
    shutil.copytree(ours, installed / "tiny_board")
    made = compile_firmware(boards.load_board("tiny_board"), tmp_path / "build")
    assert made.elf.is_file()
    assert str(installed / "tiny_board/board.cc") in (tmp_path / "build/build.ninja").read_text()


def test_all_of_it_together(installed, pairs):
    made = tinyseg.quantize(tinyseg.build("flat_net"), "couples")
    assert made.verify(max_drop=1, count=2).ok
    again = tinyseg.load(made.save(installed / "out"))
    # The network is built again from its name, to be compared with.
    assert tinyseg.load(installed / "out/weights.h5").name == "flat_net"
    assert again.evaluate() == made.evaluate()
