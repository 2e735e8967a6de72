"""Put small faults into the code, one at a time, and count those that the tests notice.

    python -m tests.mutants [--python N] [--cpp N] [--seed S] [--again] [MODULE ...]

A seeded sample, spread evenly over the modules of modules.py (or over those named), each fault
against the tests that mirror its module. Two at a time, in copies of the checkout below
build/mutants. What was noticed is kept in build/mutants/results.json: a run that was interrupted
goes on, and --again tries once more only what nobody noticed. A run over all modules writes the
score into docs/testing.md.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import itertools
import json
import queue
import sys
import threading
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from tests.mutants import page
from tests.mutants.faults import Fault, sample
from tests.mutants.modules import cpp_modules, python_modules
from tests.mutants.trials import BrokenError, Copy

_ROOT = Path(__file__).parents[2]
_FOLDER = _ROOT / "build/mutants"
_EQUIVALENTS = Path(__file__).with_name("equivalents.toml")
_WORKERS = 2


class Results:
    """Verdicts by fault, kept in a file as they come."""

    def __init__(self, path: Path, seed: int) -> None:
        self._path, self._seed, self._lock = path, seed, threading.Lock()
        stored = json.loads(path.read_text()) if path.is_file() else {"seed": None}
        self.verdicts: dict[str, str] = stored["verdicts"] if stored["seed"] == seed else {}

    def add(self, key: str, verdict: str) -> None:
        with self._lock:
            self.verdicts[key] = verdict
            text = json.dumps({"seed": self._seed, "verdicts": self.verdicts}, indent=1)
            beside = self._path.with_suffix(".part")
            beside.write_text(text)
            beside.replace(self._path)


def shares(total: int, modules: list[Path]) -> Iterator[tuple[Path, int]]:
    """Spread a number of faults evenly over modules."""
    for position, module in enumerate(modules):
        yield module, total * (position + 1) // len(modules) - total * position // len(modules)


def try_module(
    module: Path, count: int, seed: int, trial: Callable[[Fault], str], equivalents: dict[str, str]
) -> dict[str, str]:
    """Try the first faults of a module's sample that can be built and change something.

    Args:
        module: relative to the checkout.
        count: how many.
        seed: of the sample.
        trial: returns the verdict on a fault.
        equivalents: reasons by what is known to change nothing; these are not tried.

    Returns:
        Verdicts by fault, ``equivalent`` among them.
    """
    verdicts: dict[str, str] = {}
    wanted = count
    for fault in sample(module, _ROOT, seed):
        if wanted == 0:
            break
        if f"{fault.file}: {fault.before} => {fault.after}" in equivalents:
            verdicts[fault.key] = "equivalent"
            continue
        verdicts[fault.key] = trial(fault)
        wanted -= verdicts[fault.key] != "stillborn"
    return {key: verdict for key, verdict in verdicts.items() if verdict != "stillborn"}


def read_equivalents() -> dict[str, str]:
    """Return reasons by ``FILE: BEFORE => AFTER``."""
    listed = tomllib.loads(_EQUIVALENTS.read_text()).get("equivalent", [])
    return {f"{e['file']}: {e['before']} => {e['after']}": e["reason"] for e in listed}


def run(options: argparse.Namespace) -> int:
    """Try the sample and print what nobody noticed; return the exit status."""
    chosen = options.modules
    work = [
        *shares(options.python, python_modules(_ROOT, chosen)),
        *shares(options.cpp, cpp_modules(_ROOT, chosen)),
    ]
    _FOLDER.mkdir(parents=True, exist_ok=True)
    results, equivalents = Results(_FOLDER / "results.json", options.seed), read_equivalents()
    copies: queue.SimpleQueue[Copy] = queue.SimpleQueue()
    for number in range(_WORKERS):
        copies.put(Copy(_ROOT, _FOLDER / f"copy-{number}"))
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with (
        Progress(*columns, console=console, disable=not console.is_terminal) as bar,
        concurrent.futures.ThreadPoolExecutor(_WORKERS) as pool,
    ):
        task = bar.add_task("faults", total=sum(count for _, count in work))

        def trial(fault: Fault) -> str:
            known = results.verdicts.get(fault.key)
            if known is None or (known == "unnoticed" and options.again):
                copy = copies.get()
                try:
                    known = copy.try_fault(fault).verdict
                finally:
                    copies.put(copy)
                results.add(fault.key, known)
                if not console.is_terminal:
                    print(f"{known:10} {fault.key}", flush=True)
            if known != "stillborn":
                bar.advance(task)
            return known

        jobs = [
            pool.submit(try_module, module, count, options.seed, trial, equivalents)
            for module, count in work
        ]
        tried = dict(itertools.chain.from_iterable(job.result().items() for job in jobs))
    for key, verdict in sorted(tried.items()):
        if verdict == "unnoticed":
            print(f"unnoticed: {key}")
    print("\n".join(page.scores(tried)))
    if not chosen:
        page.write(_ROOT, tried, equivalents, options.seed)
    return 0


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("modules", nargs="*", help="files or patterns, relative to the checkout")
    parser.add_argument("--python", type=int, default=300, help="faults in Python")
    parser.add_argument("--cpp", type=int, default=60, help="faults in C++")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--again", action="store_true", help="try what was unnoticed once more")
    try:
        return run(parser.parse_args())
    except BrokenError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    raise SystemExit(main())
