"""What is wrong or doubtful about a data set, and how it is said."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from typing import Literal


@dataclasses.dataclass(frozen=True)
class Problem:
    """What is wrong with a file, or with the dataset where no single file is to blame."""

    severity: Literal["error", "warning"]
    path: str
    message: str


def problem_of(line: str) -> Problem:
    """Turn the line of an expected error, which begins with its file, into a problem."""
    path, _, message = line.partition(": ")
    return Problem("error", path, message)


def warning(line: str) -> Problem:
    """Turn a line that begins with its file into a warning."""
    return dataclasses.replace(problem_of(line), severity="warning")


def grouped(problems: Iterable[Problem]) -> list[str]:
    """Return a line for each problem, warnings that say the same as one with their number.

    Messages that differ in numbers only say the same. Errors keep a line each.
    """
    same: dict[tuple[str, ...], list[Problem]] = {}
    for problem in problems:
        key: tuple[str, ...] = (problem.severity, re.sub(r"[-+]?\d[\d.e+-]*", "#", problem.message))
        if problem.severity == "error":
            key = (*key, problem.path, problem.message)
        same.setdefault(key, []).append(problem)
    return [_line(each) for each in same.values()]


def _line(problems: list[Problem]) -> str:
    first = problems[0]
    others = len({problem.path for problem in problems}) - 1
    where = f"{first.path} and {others} more" if others else first.path
    return f"{first.severity}: {where}: {first.message}"
