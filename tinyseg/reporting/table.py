"""Write the README's results table from the figures in ``models/``.

python -m tinyseg.reporting.table [--check]
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tinyseg import files
from tinyseg.reporting.numbers import count, score

RESULTS = "results.json"
_BEGIN, _END = "<!-- results: made by 'make table' -->", "<!-- end of results -->"
_HEADER = (
    "network", "input", "parameters", "MACs", "data", "Dice float32", "Dice int8", "IoU int8",
    "pixel acc. int8", "flash (MB)", "tensor arena (MB)", "TFLM = reference bytes",
)  # fmt: skip


def markdown(runs: list[dict[str, Any]]) -> str:
    """Return one row a published network."""
    lines = [f"| {' | '.join(_HEADER)} |", "|---" * len(_HEADER) + "|"]
    for run in runs:
        tested, check = run["test"], run["verification"]
        cells = (
            f"`{run['model']['name']}`",
            " x ".join(map(str, run["model"]["input_shape"])),
            count(run["model"]["parameters"]),
            count(run["model"]["macs"]),
            f"{run['data']['name']}, {tested['integer']['images']} held out",
            score(tested["float"]["dice"]),
            score(tested["integer"]["dice"]),
            score(tested["integer"]["iou"]),
            score(tested["integer"]["pixel_accuracy"]),
            f"{run['file_bytes'] / 1e6:.2f}",
            f"{check['arena_bytes'] / 1e6:.2f}",
            "yes" if check["bit_exact"] else "no",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def insert(readme: str, table: str) -> str:
    """Return a README with the text between the markers replaced.

    Raises:
        ValueError: the markers are missing.
    """
    before, begin, rest = readme.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"README lacks the lines {_BEGIN} and {_END}")
    return f"{before}{_BEGIN}\n{table}\n{_END}{after}"


def main(root: Path = Path(__file__).parents[2]) -> int:
    """Rewrite the README, or with ``--check`` tell by the exit status whether it is current."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    runs = [files.read_json(path) for path in sorted((root / "models").glob(f"*/*/{RESULTS}"))]
    readme = root / "README.md"
    text = readme.read_text()
    wanted = insert(text, markdown(runs))
    if check:
        return int(text != wanted)
    files.write_text(readme, wanted)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
