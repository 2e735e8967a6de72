"""What a request is answered."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

JSON = "application/json"


class Answer(NamedTuple):
    """What a request is answered.

    Attributes:
        status: of HTTP.
        kind: of the content.
        content: the body.
    """

    status: int
    kind: str
    content: bytes


def as_json(status: int, facts: dict[str, Any]) -> Answer:
    """Return an answer of plain values."""
    return Answer(status, JSON, json.dumps(facts, allow_nan=False).encode() + b"\n")


def refused(status: int, reason: str) -> Answer:
    """Return the answer of a request that is refused."""
    return as_json(status, {"error": reason.partition("\n")[0]})
