"""Public data sets by name: where they live, under which terms, and how they come here."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tinyseg import files
from tinyseg.data import archives, download, layouts, scan
from tinyseg.data.cache import filling
from tinyseg.errors import InputError, meant

_CURE = "choose another folder with -o"
# Its program; the package cannot be run as a module.
_KAGGLE = (sys.executable, "-c", "from kaggle.cli import main; main()")


@dataclasses.dataclass(frozen=True)
class Source:
    """Where a data set comes from.

    Attributes:
        name: as ``--data`` takes it.
        title: for people.
        page: its home.
        terms: under which it may be used, as far as its authors say.
        citation: what to cite.
        images: how many samples there are, all slices of volumes counted.
        links: archives that anybody may fetch.
        kaggle: its name there, where a user's token is asked for; empty if it is not there.
    """

    name: str
    title: str
    page: str
    terms: str
    citation: str
    images: int
    links: tuple[str, ...] = ()
    kaggle: str = ""

    @property
    def way(self) -> str:
        """How it comes here: ``link``, ``kaggle`` or ``by hand``."""
        return "link" if self.links else "kaggle" if self.kaggle else "by hand"


_ISIC = "https://isic-archive.s3.amazonaws.com/challenges/2018/ISIC2018_Task1"
_ALL = (
    Source(
        "busi",
        "breast ultrasound images with lesions",
        "https://scholar.cu.edu.eg/?q=afahmy/pages/dataset",
        "the authors state none; cite the paper",
        "Al-Dhabyani et al., Data in Brief 28 (2020) 104863",
        780,
        kaggle="aryashah2k/breast-ultrasound-images-dataset",
    ),
    Source(
        "brats2020",
        "brain tumours in magnetic resonance, slices",
        "https://www.med.upenn.edu/cbica/brats2020/data.html",
        "for registered users; cite the papers",
        "Menze et al., IEEE TMI 34 (2015) 1993; Bakas et al., Scientific Data 4 (2017) 170117",
        369 * 155,
        kaggle="awsaf49/brats2020-training-data",
    ),
    Source(
        "brats_nifti",
        "brain tumours in magnetic resonance, volumes",
        "https://www.smir.ch/BRATS/Start2015",
        "CC BY-NC-SA 3.0 CH, for registered users",
        "Menze et al., IEEE TMI 34 (2015) 1993",
        0,
    ),
    Source(
        "brain_mri",
        "four classes of brain images",
        "https://www.kaggle.com/datasets/masoudnickparvar/brain-tumor-mri-dataset",
        "CC0 on its page; its three parts have terms of their own",
        "M. Nickparvar, Brain Tumor MRI Dataset, 2021",
        7023,
        kaggle="masoudnickparvar/brain-tumor-mri-dataset",
    ),
    Source(
        "isic2018",
        "skin lesions",
        "https://challenge.isic-archive.com/data/#2018",
        "CC BY-NC 4.0",
        "Codella et al., arXiv:1902.03368; Tschandl et al., Scientific Data 5 (2018) 180161",
        2594,
        links=(f"{_ISIC}-2_Training_Input.zip", f"{_ISIC}_Training_GroundTruth.zip"),
    ),
    Source(
        "dsb2018",
        "nuclei under the microscope",
        "https://bbbc.broadinstitute.org/BBBC038",
        "CC0 1.0",
        "Caicedo et al., Nature Methods 16 (2019) 1247",
        670,
        links=("https://data.broadinstitute.org/bbbc/BBBC038/stage1_train.zip",),
    ),
    Source(
        "em_isbi2012",
        "membranes in electron microscopy",
        "https://imagej.net/events/isbi-2012-segmentation-challenge",
        "for non-commercial image segmentation; cite the papers",
        "Cardona et al., PLoS Biology 8 (2010) e1000502; Arganda-Carreras et al., Frontiers in "
        "Neuroanatomy 9 (2015) 142",
        30,
        links=(
            "https://github.com/zhixuhao/unet/archive/b45af4d458437d8281cc218a07fd4380818ece4a.zip",
        ),
    ),
)
SOURCES = {source.name: source for source in _ALL}


def source_of(name: str) -> Source:
    """Return what is known of a data set.

    Raises:
        InputError: nothing is.
    """
    if name not in SOURCES:
        hint = meant(name, SOURCES)
        raise InputError(f"{name}: no such data set; choose from {', '.join(SOURCES)}{hint}")
    return SOURCES[name]


def place_of(source: Source, home: Path | None = None) -> Path:
    """Return the folder that ``--data NAME`` reads.

    Args:
        source: of the data set.
        home: folder of data sets; None for ``$TINYSEG_DATA``.

    Raises:
        InputError: neither is given.
    """
    root = home or (Path(os.environ["TINYSEG_DATA"]) if os.environ.get("TINYSEG_DATA") else None)
    if root is None:
        raise InputError(
            f"{source.name}: say where to put it: set TINYSEG_DATA to a folder for data sets, or "
            "give -o"
        )
    return root / Path(layouts.known()[source.name].location).parts[0]


def get(source: Source, home: Path | None = None) -> tuple[Path, int]:
    """Fetch a data set unless it is there, and count its images.

    A download that broke goes on where it did; the SHA-256 of what came is kept beside the images.

    Args:
        source, home: as of :func:`place_of`.

    Returns:
        The folder, and how many images are in it.

    Raises:
        InputError: it has to be fetched by hand, the transfer broke, or the number is wrong.
    """
    folder = place_of(source, home)
    if not folder.is_dir():
        packed = folder.parent / ".packed" / source.name
        found = _by_link(source, packed) if source.links else _by_kaggle(source, packed, folder)
        with filling(folder, _CURE) as temporary:
            for archive in found:
                archives.unpack_archive(archive, temporary)
            _lift(temporary)
            hashes = {archive.name: files.sha256(archive) for archive in found}
            files.write_json(temporary / "source.json", {"page": source.page, "sha256": hashes})
        shutil.rmtree(packed)
    return folder, _counted(source, folder)


def _by_link(source: Source, packed: Path) -> list[Path]:
    return [download.fetch(link, packed / link.rpartition("/")[2]) for link in source.links]


def _by_kaggle(source: Source, packed: Path, folder: Path) -> list[Path]:
    """Let Kaggle's own program fetch an archive, which goes on where it broke off."""
    by_hand = f"download it from {source.page} and unpack it into {folder}"
    if not source.kaggle:
        raise InputError(f"{source.name}: {source.terms}: {by_hand}")
    if importlib.util.find_spec("kaggle") is None:
        raise InputError(
            f"{source.name}: lies on Kaggle; pip install 'tinyseg[kaggle]' and get a token there, "
            f"or {by_hand}"
        )
    if not _has_token():
        raise InputError(
            f"{source.name}: Kaggle asks for a token: put it into ~/.kaggle/kaggle.json, or "
            f"{by_hand}"
        )
    packed.mkdir(parents=True, exist_ok=True)
    command = [*_KAGGLE, "datasets", "download", source.kaggle, "-p", str(packed)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = sorted(packed.glob("*.zip"))
    if done.returncode or not found:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
        raise InputError(f"{source.name}: Kaggle refuses ({said[-1]}); {by_hand}")
    return found


def _has_token() -> bool:
    folder = Path(os.environ.get("KAGGLE_CONFIG_DIR", Path.home() / ".kaggle"))
    return bool(os.environ.get("KAGGLE_KEY")) or (folder / "kaggle.json").is_file()


def _lift(folder: Path) -> None:
    """Bring what an archive wraps in a single folder of its own to the top, BUSI's aside."""
    inside = list(folder.iterdir())
    if len(inside) != 1 or not inside[0].is_dir() or inside[0].name == "Dataset_BUSI_with_GT":
        return
    with tempfile.TemporaryDirectory(dir=folder.parent) as other:
        wrapped = inside[0].rename(Path(other, "wrapped"))
        for path in wrapped.iterdir():
            path.rename(folder / path.name)


def _counted(source: Source, folder: Path) -> int:
    """Return how many images there are, all slices of volumes.

    Raises:
        InputError: it is not the number that there should be.
    """
    location = Path(layouts.known()[source.name].location)
    place = folder.joinpath(*location.parts[1:])
    options = ":slices=1" if "slices" in layouts.known()[source.name].options else ""
    dataset, _ = scan(f"{place}{options}")
    count = len(dataset.samples)
    if source.images and count != source.images:
        raise InputError(
            f"{folder}: holds {count:,} images of {source.images:,}; remove the folder and get it "
            "again, or use it as it is with --data"
        )
    return count
