"""Run damaged files through the verbs in this process; print what goes wrong.

python -m tests.mutations.worker FOLDER FIRST LAST
"""

from __future__ import annotations

# ruff: noqa: E402
import os
import sys
import traceback
import warnings
from pathlib import Path

from tests.mutations.tflm import prepare

start = prepare()

import cv2
import numpy as np

from tests.in_process import tinyseg
from tests.mutations.files import SIDE, mutated
from tinyseg.runtime import tflm

tflm._start = start

FILE = "mutated.tflite"
VERBS = (
    ("memory", FILE),
    ("lower", FILE, "-o", "lowered.tflite"),
    ("fit", FILE, "--ram", "64K", "--flash", "64K", "-o", "fitted"),
    ("predict", FILE, "image.png", "-o", "predicted"),
    ("verify", FILE, "--images", "1", "--data", f"phantom:count=12,size={SIDE}"),
)
# Drawing takes longer than all else.
CHARTS = 8


def complaint(verb: tuple[str, ...]) -> str | None:
    """Return what is wrong with how a verb takes the file, None if it is as documented."""
    try:
        result = tinyseg(*verb)
    except BaseException:
        last = traceback.format_exc().splitlines()
        return f"{verb[0]}: traceback {last[-1][:200]} {last[-3].strip()}"
    told = [line for line in result.stderr.splitlines() if line.startswith("tinyseg: ")]
    if result.returncode not in (0, 1, 2):
        return f"{verb[0]}: exit code {result.returncode}"
    if result.returncode == 1 and verb[0] not in ("verify", "fit"):
        return f"{verb[0]}: a gate of no kind: {result.stderr[-200:]}"
    if (result.returncode == 0) != (not told):
        return f"{verb[0]}: exit code {result.returncode} with {told}"
    if result.returncode == 2 and len(told) != 1:
        return f"{verb[0]}: {len(told)} lines of error"
    return None


def main(folder: str, first: str, last: str) -> None:
    """Go through the seeds ``first`` to ``last - 1``."""
    os.chdir(folder)
    os.environ["TINYSEG_CACHE"] = str(Path("cache").resolve())
    warnings.simplefilter("ignore")
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE), np.uint8)
    cv2.imwrite("image.png", pixels)
    for seed in range(int(first), int(last)):
        print(f"seed {seed}", flush=True)
        with open(FILE, "wb") as stream:
            stream.write(mutated(seed, Path("sound")))
        chart = [("memory", FILE, "-o", "memory")] if seed % CHARTS == 0 else []
        for verb in (*VERBS, *chart):
            wrong = complaint(verb)
            if wrong is not None:
                print(f"{seed}: {wrong}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
