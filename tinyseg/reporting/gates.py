"""What a published file had to clear, and by how much it did."""

from __future__ import annotations

from typing import Any

from tinyseg.operating_point import OperatingPoint
from tinyseg.reporting.numbers import count, score
from tinyseg.scoring.scores import SCORES, allowed_drop, lesions, or_one_image


def gates(run: dict[str, Any], max_drop: float) -> dict[str, Any]:
    """Return the table of a run's gates: what is asked, what was found, and the verdict.

    Args:
        run: plain values of a run, see :meth:`tinyseg.steps.run.Run.as_dict`.
        max_drop: the most by which the first score may fall, of the run's recipe.

    Returns:
        ``{"title", "note", "header", "rows"}`` of formatted text.
    """
    check = run["verification"]
    lacking, differing = check["unsupported_ops"], check["differing_bytes"]
    rows = [
        *_scores(run, max_drop),
        _row(
            "operators that TFLite Micro lacks",
            "none",
            ", ".join(lacking) or "none",
            not lacking,
        ),
        _row(
            "output values that differ between TFLite Micro and TFLite's reference kernels",
            "none",
            f"{count(differing)} on {len(check['images'])} images",
            check["bit_exact"],
        ),
    ]
    if device := check["device"]:
        found = f"{count(device['differing_bytes'])} on {len(check['images'])} images"
        what = f"output values that differ between {device['board']} and TFLite Micro"
        rows.append(_row(what, "none", found, device["bit_exact"]))
    return {
        "title": "What the file had to clear",
        "note": "",
        "header": ["gate", "asked", "found", "verdict"],
        "rows": rows,
    }


def _scores(run: dict[str, Any], max_drop: float) -> list[list[str]]:
    """Return the rows of the score that decides, over all held-out images that it is of."""
    test, task = run["test"], run["task"]
    before, after = lesions(test["float"]), lesions(test["integer"])
    key, title = SCORES[task][0]
    of = "with a lesion " if "with_lesion" in test["integer"] else ""
    what = f"{title} on the {after['images']} held-out images {of}".strip()
    allowed = allowed_drop(task, max_drop, test["integer"]["images"])
    fall = before[key] - after[key]
    change = f"{'falls' if fall > 0 else 'rises'} by {abs(fall):.4f}"
    found = f"{score(before[key])} to {score(after[key])}, {change}"
    asked = f"falls by at most {allowed:.4f} from float32 to {run['recipe']}"
    rows = [_row(what, asked, found, fall <= allowed)]
    point = OperatingPoint(**run.get("operating_point", {}))
    if "with_lesion" in test["integer"] and not point.is_plain:
        rows.append(_over_all(run, max_drop))
    if "background" in test:
        nothing = lesions(test["background"])[key]
        asked = f"above {score(nothing)}, that of predicting nothing"
        rows.append(_row(what, asked, score(after[key]), after[key] > nothing))
    return rows


def _over_all(run: dict[str, Any], max_drop: float) -> list[str]:
    """Return the row of the score over images with and without a lesion."""
    before, after = run["test"]["float"], run["test"]["integer"]
    key, title = SCORES[run["task"]][0]
    allowed = or_one_image(max_drop, after["images"])
    fall = before[key] - after[key]
    change = f"{'falls' if fall > 0 else 'rises'} by {abs(fall):.4f}"
    return _row(
        f"{title} on all {after['images']} held-out images",
        f"falls by at most {allowed:.4f} from float32 to {run['recipe']}",
        f"{score(before[key])} to {score(after[key])}, {change}",
        fall <= allowed,
    )


def _row(what: str, asked: str, found: str, passed: bool) -> list[str]:
    return [what, asked, found, "passed" if passed else "missed"]
