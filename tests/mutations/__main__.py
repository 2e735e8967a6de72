"""Damaged files in the verbs that read them: no traceback, no crash, no wrong exit code.

    python -m tests.mutations --first 0 --count 1000

Each seed damages one of a few small files in one to three places and gives it to ``verify``,
``memory``, ``lower``, ``fit`` and ``predict``, in one process. A seed whose file crashes that
process is told too, and the run goes on with the next one.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

SHARE = 1000


def main() -> int:
    """Run a range of seeds; return 1 if anything went wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=1000)
    chosen = parser.parse_args()
    seed, end, bad = chosen.first, chosen.first + chosen.count, 0
    with tempfile.TemporaryDirectory() as folder:
        while seed < end:
            # A new process now and then: what a damaged file did to memory shows late.
            last = min(seed + SHARE, end)
            seed, found = _share(Path(folder), seed, last)
            for line in found:
                print(line, flush=True)
            bad += len(found)
            print(f"{seed - chosen.first} files, {bad} findings", flush=True)
    return int(bad > 0)


def _share(folder: Path, first: int, last: int) -> tuple[int, list[str]]:
    """Run seeds in one process; return the seed to go on with, and what was found."""
    log = folder / "seeds"
    command = [sys.executable, "-m", "tests.mutations.worker", str(folder), str(first), str(last)]
    with log.open("w") as stream:
        process = subprocess.run(command, stdout=stream, stderr=subprocess.DEVNULL, check=False)
    lines = log.read_text().splitlines()
    seeds = [int(line.split()[1]) for line in lines if line.startswith("seed")]
    found = [line for line in lines if not line.startswith("seed")]
    reached = max(seeds, default=first)
    if process.returncode:
        found.append(f"{reached}: the process ended with {process.returncode}")
    return reached + 1, found


if __name__ == "__main__":
    sys.exit(main())
