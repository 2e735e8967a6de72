"""Choose an operating point on networks of folds, and score final networks at it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from tinyseg.experiments.clinic_networks import make_file, settle_point, test_final
from tinyseg.experiments.jobs import Jobs


def role(name: str) -> str:
    """Return the folder of a network."""
    return name.replace(" ", "_")


class Settled(NamedTuple):
    """What networks of folds decide.

    Attributes:
        files: their integer files, as of :func:`~tinyseg.experiments.clinic_networks.make_file`.
        point: as of :func:`~tinyseg.experiments.clinic_networks.settle_point`.
    """

    files: list[dict[str, Any]]
    point: dict[str, Any]


class Scored(NamedTuple):
    """What final networks reach.

    Attributes:
        files: their integer files, which hold the point.
        tests: scores of the test part, see
            :func:`~tinyseg.experiments.clinic_networks.test_final`.
    """

    files: list[dict[str, Any]]
    tests: list[dict[str, Any]]


def settle(
    jobs: Jobs, students: Iterable[str], wish: str, mirrored: bool, note: str = ""
) -> Settled:
    """Choose the operating point on the validation images of trained networks' integer files.

    Args:
        jobs: keeps what each run returns.
        students: names of the networks, of one fold or of several; each sees its own images.
        wish: what the point is chosen for.
        mirrored: whether it is of images and their mirror images.
        note: what the job is called beside its network.
    """
    names = list(students)
    made = jobs.run({f"file {name}": (make_file, (role(name),)) for name in names})
    paths = tuple(file["path"] for file in made.values())
    job = f"point of {names[0]}{note}"
    point = jobs.run({job: (settle_point, (paths, wish, mirrored))})[job]
    return Settled(list(made.values()), point)


def score_at(jobs: Jobs, finals: Iterable[str], point: Mapping[str, Any], note: str = "") -> Scored:
    """Make integer files of final networks with an operating point, and score the test part.

    Args:
        jobs: keeps what each run returns.
        finals: names of the networks.
        point: its values.
        note: what the jobs are called beside their network.
    """
    names = list(finals)
    made = jobs.run({f"file {name}{note}": (make_file, (role(name), point)) for name in names})
    work = {
        f"test of {name}{note}": (test_final, (role(name), made[f"file {name}{note}"]["path"]))
        for name in names
    }
    return Scored(list(made.values()), list(jobs.run(work).values()))
