"""The score, for the terminal and for docs/testing.md."""

from __future__ import annotations

import collections
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

_BEGIN, _END = "<!-- mutants: made by 'make mutants' -->", "<!-- end of mutants -->"


def scores(tried: Mapping[str, str]) -> list[str]:
    """Return a line each for Python and C++: how many of how many faults were noticed."""
    return [
        f"{name}: {_share(verdicts)}"
        for name, verdicts in _by(tried, _language).items()
        if verdicts
    ]


def write(root: Path, tried: Mapping[str, str], equivalents: Mapping[str, str], seed: int) -> None:
    """Put the score, what nobody noticed and the equivalents into docs/testing.md."""
    path = root / "docs/testing.md"
    commit = subprocess.run(
        ("git", "rev-parse", "--short", "HEAD"),
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    table = ["| module | faults | noticed |", "| --- | --- | --- |"]
    for module, verdicts in sorted(_by(tried, _module).items()):
        counted = [v for v in verdicts if v != "equivalent"]
        table.append(f"| `{module}` | {len(counted)} | {counted.count('noticed')} |")
    unnoticed = [f"* `{key}`" for key, v in sorted(tried.items()) if v == "unnoticed"]
    same = [f"* `{key}`: {reason}" for key, reason in sorted(equivalents.items())]
    text = "\n".join(
        [
            _BEGIN,
            f"Seed {seed}, commit {commit.strip()}. " + "; ".join(scores(tried)) + ".",
            "",
            *table,
            "",
            "Not noticed:" if unnoticed else "None went unnoticed.",
            "",
            *unnoticed,
            "",
            "Equivalent, so left out:",
            "",
            *same,
            _END,
        ]
    )
    old = path.read_text()
    path.write_text(
        re.sub(f"{re.escape(_BEGIN)}.*{re.escape(_END)}", lambda _: text, old, flags=re.S)
    )


def _share(verdicts: list[str]) -> str:
    counted = [verdict for verdict in verdicts if verdict != "equivalent"]
    noticed = counted.count("noticed")
    return f"{noticed} of {len(counted)} noticed ({noticed / max(len(counted), 1):.1%})"


def _by(tried: Mapping[str, str], of) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = collections.defaultdict(list)
    for key, verdict in tried.items():
        groups[of(key)].append(verdict)
    return groups


def _module(key: str) -> str:
    return key.split(":")[0]


def _language(key: str) -> str:
    return "Python" if _module(key).endswith(".py") else "C++"
