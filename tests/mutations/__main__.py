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

SHARE = 250


def main() -> int:
    """Run a range of seeds; return 1 if anything went wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60, help="that one file may take")
    chosen = parser.parse_args()
    seed, end, bad = chosen.first, chosen.first + chosen.count, 0
    while seed < end:
        # A new process now and then: what a damaged file did to memory shows late.
        last = min(seed + SHARE, end)
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder, "seeds")
            command = [sys.executable, "-m", "tests.mutations.worker", folder, str(seed), str(last)]
            with log.open("w") as stream:
                process = subprocess.run(
                    command, stdout=stream, stderr=subprocess.DEVNULL, check=False
                )
            lines = log.read_text().splitlines()
        reached = max(
            (int(line.split()[1]) for line in lines if line.startswith("seed")), default=seed
        )
        found = [line for line in lines if not line.startswith("seed")]
        if process.returncode:
            found.append(f"{reached}: the process ended with {process.returncode}")
        for line in found:
            print(line, flush=True)
        bad += len(found)
        seed = reached + 1
        print(f"{seed - chosen.first} files, {bad} findings", flush=True)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
