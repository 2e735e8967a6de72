"""Choose the operating point of a network on images that it was not tested with, and store it."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tinyseg import files, presets, progress
from tinyseg import plan as plans
from tinyseg.decision import peaks
from tinyseg.errors import GateError, InputError
from tinyseg.operating_point import OperatingPoint
from tinyseg.reporting import calibration_report
from tinyseg.runtime.views import outputs_at
from tinyseg.scoring.calibration import Candidate, Wish, candidates, score_point, simplest_kinds
from tinyseg.scoring.detection import FreeResponse, Presence, free_response, presence
from tinyseg.steps.session import Session
from tinyseg.tflite.annotate import with_plan
from tinyseg.tflite.lint import deployable

log = logging.getLogger(__name__)

# Fewer images of either kind say little.
_FEW = 10


@dataclasses.dataclass(frozen=True)
class Calibration:
    """What was chosen, and what else there was.

    Attributes:
        file: whose point it is.
        wish: in the words of the command.
        chosen: the point and its scores.
        before: the point that the file had.
        kinds: the best of each kind of point.
        candidates: how many there were.
        images: that decided.
        presence: of the peaks of these images.
        free_response: of all thresholds.
        page: of the report.
    """

    file: Path
    wish: str
    chosen: Candidate
    before: Candidate
    kinds: tuple[Candidate, ...]
    candidates: int
    images: int
    presence: Presence
    free_response: FreeResponse
    page: Path

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "file": str(self.file),
            "wish": self.wish,
            "images": self.images,
            "chosen": self.chosen.as_dict(),
            "before": self.before.as_dict(),
            "kinds": [one.as_dict() for one in self.kinds],
            "candidates": self.candidates,
            "presence_auc": self.presence.area,
            "presence": dataclasses.asdict(self.presence),
            "free_response": dataclasses.asdict(self.free_response),
            "page": str(self.page),
        }


def parse_wish(text: str) -> Wish:
    """Return a wish of its words.

    Raises:
        InputError: it is none.
    """
    name, _, number = text.partition("=")
    if name == "at-most-false-alarms":
        try:
            most = float(number)
        except ValueError:
            most = -1.0
        if 0 <= most <= 100:
            return Wish(most_false_alarms=most)
    elif text in ("most-dice", "no-missed-lesion"):
        return Wish(no_missed_lesion=text == "no-missed-lesion")
    raise InputError(
        f"--wish {text}: is none of most-dice, no-missed-lesion and at-most-false-alarms=N, N per "
        "100 healthy images"
    )


def calibrate(
    session: Session,
    wish: str,
    others: Sequence[Session] = (),
    folder: Path | None = None,
    backend: str | None = None,
    mirrored: bool | None = None,
) -> Calibration:
    """Choose an operating point on validation images and store it with the network.

    Each network runs on the validation part of its own images alone: those of networks that were
    trained on other folds are out-of-fold, and decide alone where the network itself has none. The
    point goes into a ``.tflite`` file's metadata, and into ``plan.json`` where one names the file.

    Args:
        session: a ``.tflite`` file, or a network's weights.
        wish: see :func:`parse_wish`.
        others: networks of other folds, whose validation images decide too.
        folder: of ``calibration.html`` and ``calibration.json``; None for ``build/calibrate/NAME``.
        backend: of a ``.tflite`` file, see :func:`tinyseg.runtime.backends.open_runner`.
        mirrored: whether the mean of an image and its mirror image decides, for twice the work;
            None for what the network does by now.

    Returns:
        What was chosen.

    Raises:
        InputError: no masks that a threshold decides on, or no validation images with a lesion.
        GateError: no point serves the wish; nothing is stored.
    """
    wanted = parse_wish(wish)
    known = session.preprocessing.point
    base = OperatingPoint(
        share=known.share, mirrored=known.mirrored if mirrored is None else mirrored
    )
    maps, masks = _predictions(session, others, backend, base)
    made = candidates(maps, masks, base)
    before = maps
    if base.mirrored != known.mirrored:
        before, _ = _predictions(session, others, backend, known)
    chosen = _best(session, wanted, made)
    ill = np.asarray(masks.any((1, 2, 3)))
    folder = folder or presets.BUILD / "calibrate" / session.file.stem
    found = Calibration(
        file=session.file,
        wish=wish,
        chosen=chosen,
        before=score_point(before, masks, known),
        kinds=tuple(simplest_kinds(made, wanted)),
        candidates=len(made),
        images=len(maps),
        presence=presence(peaks(maps, base.share).max(1), ill),
        free_response=free_response(maps, masks),
        page=folder / calibration_report.PAGE,
    )
    store(session, chosen.point)
    calibration_report.write(found.as_dict(), folder)
    return found


def _best(session: Session, wanted: Wish, made: Sequence[Candidate]) -> Candidate:
    """Return the candidate that serves a wish best.

    Raises:
        GateError: none does.
    """
    chosen = wanted.best(made)
    if chosen is None:
        least = min(one.false_alarms_per_100 or 0 for one in made)
        raise GateError(
            f"{session.path}: no operating point gives so few false alarms; the fewest are "
            f"{least:.1f} per 100 healthy images"
        )
    if wanted.no_missed_lesion and chosen.missed_lesions:
        log.warning(
            "%s: misses %d lesions at any operating point", session.path, chosen.missed_lesions
        )
    return chosen


def store(session: Session, point: OperatingPoint) -> None:
    """Put an operating point into a file's metadata, and into the plan beside it.

    Args:
        session: of the file, as it was opened.
        point: the point.

    Raises:
        InputError: the file or its plan cannot be written.
    """
    path, place = session.file, session.file.parent / plans.FILE_NAME
    plan = plans.read(place) if session.trained is not None else None
    settled = dataclasses.replace(session.preprocessing, **point.point_values())
    if session.is_file:
        values = {"preprocessing": settled.for_file()}
        files.write_bytes(path, with_plan(session.model.content, values))
    if plan is None:
        if not session.is_file:
            raise InputError(
                f"{path}: has no plan beside it to hold an operating point; calibrate the integer "
                "file that 'tinyseg quantize' makes of it"
            )
        return
    plan = dataclasses.replace(
        plan,
        preprocessing=dataclasses.replace(plan.preprocessing, **point.point_values()),
        files={**plan.files, path.name: files.sha256(path)},
    )
    files.write_json(place, plans.as_dict(plan))


def _predictions(
    session: Session, others: Sequence[Session], backend: str | None, point: OperatingPoint
) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities and true masks of the validation images of some networks.

    The point says whether they see mirror images.
    """
    has_own = not others or len(session.images.part("validation"))
    found = [_of_one(one, backend, point) for one in ([session, *others] if has_own else others)]
    shapes = {maps.shape[1:3] for maps, _ in found}
    if shapes != {(session.preprocessing.height, session.preprocessing.width)}:
        raise InputError(
            f"{session.path}: the other networks' masks have another size; give --fold FILE of "
            "networks that see images as large"
        )
    if len({maps.shape[3] for maps, _ in found}) > 1:
        raise InputError(
            f"{session.path}: the other networks mark another number of regions; give --fold FILE "
            "of networks for the same ones"
        )
    maps, masks = (np.concatenate(parts) for parts in zip(*found, strict=True))
    ill = np.asarray(masks.any((1, 2, 3)))
    if not ill.any():
        raise InputError(
            f"{session.path}: none of the {len(maps)} validation images has a lesion; give "
            "data with some, or --fold FILE for networks of other folds"
        )
    for count, what in ((int(ill.sum()), "with a lesion"), (int((~ill).sum()), "without one")):
        if count < _FEW:
            log.warning("only %d validation images %s: the choice is chance", count, what)
    return maps, masks


def _of_one(
    session: Session, backend: str | None, point: OperatingPoint
) -> tuple[np.ndarray, np.ndarray]:
    if session.is_file:
        deployable(session.model)
    meaning = session.reading
    if meaning.layout is None or not meaning.by_threshold:
        raise InputError(f"{session.path}: its output is {meaning}, which no threshold decides on")
    images = session.images.part("validation")
    if not len(images):
        raise InputError(
            f"{session.path}: there are no validation images; it was trained on all but the test "
            "part; give --fold FILE for networks of other folds, or data.fractions a share"
        )
    with progress.counter("validation images", len(images)) as advance:
        runner = session.runner(backend, advance) if session.is_file else session.runner()
        outputs = outputs_at(point, runner, images.inputs(session.preprocessing), meaning)
    masks = images.masks
    maps = meaning.marking(masks.shape[-1]).regions_of(outputs)
    if maps.shape != masks.shape:
        raise InputError(
            f"{session.path}: its masks are {maps.shape[1:]}, those of the images "
            f"{masks.shape[1:]}; a point is chosen at the size that it works at"
        )
    return maps, masks
