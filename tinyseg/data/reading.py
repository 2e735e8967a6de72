"""How the files of a data set are read, found from all of them: one rule for all."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

import numpy as np
from PIL import ExifTags, Image

from tinyseg.data import dicom, images, labels
from tinyseg.data.masks import Levels, levels, mask_pixels
from tinyseg.data.problems import Problem
from tinyseg.data.rule import MaskRule
from tinyseg.errors import InputError

# Greatest values of so many bits.
_DEPTHS = (255, 1023, 4095, 16383, 65535)
_WHOLE_WHITE = 65535
# Images of 12 bits in files of 16 reach a sixteenth of white.
_FAR = 15
# Objects rarely fill more than that share of all images.
_MOST_MARKED = 0.9

# A file and the number of its page; None for a file that is one image.
Place = tuple[Path, int | None]


@dataclasses.dataclass(frozen=True)
class Reading:
    """How to read the files of a data set.

    Attributes:
        rule: for the masks.
        whites: see :func:`tinyseg.data.images.read_image`; none for images of 8 bits.
        question: what the user has to say first; empty if all is plain.
        doubts: about files, and about the data set as a whole.
    """

    rule: MaskRule = dataclasses.field(default_factory=MaskRule)
    whites: Mapping[str, float] = dataclasses.field(default_factory=dict)
    question: str = ""
    doubts: tuple[Problem, ...] = ()


def survey(pictures: Sequence[Place], masks: Sequence[Place], wanted: str, where: str) -> Reading:
    """Open all files once and find how to read them.

    What cannot be opened is left out: it is named when it is read.

    Args:
        pictures, masks: image files and mask files.
        wanted: what ``--labels`` says, see :func:`tinyseg.data.labels.parse`.
        where: the data set, named in doubts about all of it.

    Raises:
        InputError: ``wanted`` is nonsense or asks for what no mask holds.
    """
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        opened = list(pool.map(_look_at_mask, masks))
        whites, doubts = _join(pool.map(_look_at_picture, pictures), where)
    found = [held for held, _ in opened if held is not None]
    rule, question = MaskRule(), ""
    if wanted:
        rule = labels.chosen(wanted, found)
    else:
        try:
            rule = labels.suggested_rule(found)
        except InputError as error:
            question = str(error)
    settled = bool(wanted or question)
    notes = (*rule.notes, *_share_doubts(found, rule, settled))
    doubts += [Problem("warning", where, note) for note in notes]
    for held, remarks in opened:
        if held is not None:
            remarks = [*remarks, *_value_doubts(held, rule, settled)]
            doubts += [Problem("warning", str(held.path), remark) for remark in remarks]
    return Reading(rule, whites, question, tuple(doubts))


def survey_images(pictures: Sequence[Place], whites: Mapping[str, float]) -> Reading:
    """Find how to read images that come without masks, such as those to predict on.

    Args:
        pictures: the files.
        whites: of the images that a network was trained with; what they lack is found here.
    """
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found, doubts = _join(pool.map(_look_at_picture, pictures), "", whites)
    return Reading(MaskRule(), found, "", tuple(doubts))


# Images


@dataclasses.dataclass
class _Picture:
    """What is known of an image without decoding it, and its greatest value if that is deep."""

    path: Path
    kind: str = ""
    greatest: float = 0
    doubts: list[str] = dataclasses.field(default_factory=list)


def _look_at_picture(place: Place) -> _Picture:
    path, page = place
    seen = _Picture(path)
    try:
        with path.open("rb") as stream:
            packed = dicom.is_dicom(stream, path)
            if not packed:
                with Image.open(stream) as image:
                    seen.doubts += _format_doubts(image, page)
                    if image.mode in ("P", "PA") and image.format != "GIF":
                        seen.doubts.append(
                            "has a palette, whose colours are read; save it as grey or RGB"
                        )
                    packed = bool(images.deep_kind(image))
        if packed:
            decoded = images.open_image(path, page)
            seen.kind = images.deep_kind(decoded)
            if seen.kind:
                seen.greatest = float(images.deep_values(decoded, path).max())
    except Exception:  # Decoders raise anything; reading the file says so.
        seen.kind = ""
    return seen


def _join(
    pictures: Iterable[_Picture], where: str, known: Mapping[str, float] = images.NO_WHITES
) -> tuple[dict[str, float], list[Problem]]:
    """Return what is white in deep images, and the doubts about all images."""
    whites: dict[str, float] = {}
    seen = list(pictures)
    for kind in ("whole", "real"):
        greatest = max((each.greatest for each in seen if each.kind == kind), default=None)
        if greatest is not None:
            whites[kind] = known.get(kind) or white_of(kind, greatest)
    doubts = [
        Problem("warning", str(each.path), doubt)
        for each in seen
        for doubt in (*each.doubts, *_depth_doubts(each, whites, bool(known.get(each.kind))))
    ]
    return whites, doubts


def white_of(kind: str, greatest: float) -> float:
    """Return what is white where values reach ``greatest``: the next whole number of bits."""
    if kind == "real" and greatest <= 1:
        return 1
    if kind == "real" and greatest < 2 * _DEPTHS[0]:
        return _DEPTHS[0]
    return next((white for white in _DEPTHS if greatest <= white), _WHOLE_WHITE)


def _depth_doubts(picture: _Picture, whites: Mapping[str, float], known: bool) -> Iterator[str]:
    if not picture.kind:
        return
    greatest, white = picture.greatest, whites[picture.kind]
    if picture.kind == "real":
        yield f"holds real numbers up to {greatest:g}, taken as [0, {white:g}]; save it in 8 bits"
        return
    bits = int(white + 1).bit_length() - 1
    origin = "as the network was trained with" if known else "by the greatest value there is"
    said = f"holds whole numbers up to {greatest:g}, read as {bits} bits"
    if known or white != _WHOLE_WHITE:
        yield f"{said}, {origin}; save it in 8 bits if that is wrong"
    else:
        yield f"{said}: divided by 257 to give 8 bits"
    if 0 < greatest < white / _FAR:
        yield (
            f"holds nothing above {greatest:g} where {white:g} is white: it is all but black, or "
            "has fewer bits than the others; save it in 8 bits"
        )
    if greatest > white:
        yield f"reaches beyond {white:g}, which is cut off; rescale it"


# Masks


def _look_at_mask(place: Place) -> tuple[Levels | None, list[str]]:
    path, page = place
    try:
        image = images.open_image(path, page)
        pixels = mask_pixels(image, path)
        with path.open("rb") as stream:
            packed = dicom.is_dicom(stream, path)
            doubts = [] if packed else _mask_doubts(stream, page)
        if pixels.kind == "index":
            doubts.append("has a palette, whose indices are read, not its colours")
        elif image.mode in ("P", "PA") and path.suffix.lower() != ".gif":  # All of these do.
            doubts.append("has a palette, whose colours are read; save it as grey")
        return levels(pixels, path), doubts
    except Exception:  # As for images.
        return None, []


def _mask_doubts(stream: IO[bytes], page: int | None) -> list[str]:
    with Image.open(stream) as image:
        doubts = list(_format_doubts(image, page))
        image.load()
        if "A" in image.getbands():
            alpha, colours = np.asarray(image.getchannel("A")), np.asarray(image.convert("RGB"))
            if np.ptp(alpha) and (colours == colours[0, 0]).all():
                doubts.append(
                    "seems to be drawn in the alpha channel, which is ignored; draw it in grey"
                )
        return doubts


def _value_doubts(held: Levels, rule: MaskRule, settled: bool) -> Iterator[str]:
    """Say what is doubtful about the values of one mask under a rule."""
    if settled or rule.regions:
        return
    if held.form == "shades":
        white = rule.whites.get(held.depth, 0)
        shown = ", ".join(f"{value:g}" for value in held.first)
        more = ", ..." * (held.count > len(held.first))
        yield (
            f"holds {held.count} values ({shown}{more}), not two, and only those above "
            f"{white / 2:g} are foreground; save it as 0 and 255"
        )
    elif held.values and not held.zero:
        yield "marks every pixel as foreground; draw the background as 0"
    elif held.values == (1,) and held.kind == "grey" and held.depth != "1":
        yield "holds 0 and 1 and looks black in viewers; save it as 0 and 255"


def _share_doubts(found: Sequence[Levels], rule: MaskRule, settled: bool) -> Iterator[str]:
    """Say whether all masks together mark nothing, or nearly everything."""
    shares = [held.share for held in found]
    if not shares or settled or rule.regions or rule.whites:
        return
    if not any(shares):
        yield "no mask marks anything, which no network can learn from; check the masks"
    elif np.mean(shares) > _MOST_MARKED:
        yield (
            f"masks mark {np.mean(shares):.0%} of the pixels; if 0 is what they mean, say "
            "--labels 0"
        )


def _format_doubts(image: Image.Image, page: int | None) -> Iterator[str]:
    """Say what is doubtful about the format of any file."""
    if page is None and (pages := getattr(image, "n_frames", 1)) > 1:
        yield f"holds {pages} pages, of which only the first is read; save each as a file"
    if image.has_transparency_data:
        yield "has transparency, which is ignored; save it as grey or RGB"
    # PNG files are decoded to look for more tags than those that the header names.
    tags = image.getexif() if image.format != "PNG" or "exif" in image.info else {}
    if (orientation := tags.get(ExifTags.Base.Orientation, 1)) != 1:
        yield f"has EXIF orientation {orientation}, which other tools may ignore; save it upright"
