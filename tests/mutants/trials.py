"""Try faults in private copies of the checkout."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from tests.mutants.faults import Fault
from tests.mutants.modules import mirror

# How long a fault may keep the tests busy: an endless loop is noticed too.
_PATIENCE_FACTOR, _PATIENCE_S = 4, 60
# Real images are not everywhere, and output that is sent at once hides what was not flushed.
_LEFT_OUT = ("TINYSEG_DATA", "PYTHONUNBUFFERED")
_CONFIGURE = ("cmake", "-G", "Ninja", "-S", "firmware", "-B", "build/host", "-DTINYSEG_SANITIZE=ON")
_BUILD = ("cmake", "--build", "build/host")
# All in one process: ctest starts one for each test.
_TESTS = (
    ("timeout", "60", "build/host/unit_tests", "--gtest_fail_fast"),
    ("ctest", "--test-dir", "build/host", "--tests-regex", "replay", "--timeout", "60"),
)


class BrokenError(Exception):
    """The tests fail, or are none, without any fault."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What the tests made of a fault: ``noticed``, ``unnoticed`` or, where it cannot be built,
    ``stillborn``.
    """

    fault: Fault
    verdict: str
    seconds: float


class Copy:
    """A copy of a checkout: its tracked files and those that git would add."""

    def __init__(self, root: Path, folder: Path) -> None:
        self._root, self.folder = root, folder
        self._seconds: dict[tuple[str, ...], float] = {}
        self._server: subprocess.Popen | None = None
        self._cpp_works = False
        _mirror_files(root, folder)

    def try_fault(self, fault: Fault) -> Outcome:
        """Put a fault in, run the tests that mirror its module, and take it out again.

        Raises:
            BrokenError: the tests fail without it.
        """
        kind = self._python if fault.file.endswith(".py") else self._cpp
        path, start = self.folder / fault.file, time.monotonic()
        original = path.read_text()
        run = kind(fault)
        try:
            path.write_text(fault.content)
            verdict = run()
        finally:
            path.write_text(original)
        return Outcome(fault, verdict, time.monotonic() - start)

    def _python(self, fault: Fault):
        tests = tuple(mirror(Path(fault.file), self.folder))
        if not tests:
            raise BrokenError(f"{fault.file}: no tests mirror it; name them in modules.py")
        if tests not in self._seconds:
            start = time.monotonic()
            if self._pytest(tests, None) != 0:
                raise BrokenError(f"{' '.join(tests)}: fail without any fault, or hold no test")
            self._seconds[tests] = time.monotonic() - start
        patience = _PATIENCE_FACTOR * self._seconds[tests] + _PATIENCE_S
        return lambda: "unnoticed" if self._pytest(tests, patience) == 0 else "noticed"

    def _pytest(self, tests: Sequence[str], timeout: float | None) -> int:
        if self._server is None:
            python = self._root / ".venv/bin/python"
            self._server = subprocess.Popen(
                (python, "-m", "tests.mutants.server"),
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        self._server.stdin.write(json.dumps({"tests": list(tests), "timeout": timeout}) + "\n")
        self._server.stdin.flush()
        return int(self._server.stdout.readline())

    def _cpp(self, fault: Fault):
        if not self._cpp_works:
            if self._run(_CONFIGURE) != 0:
                raise BrokenError("firmware: cannot be configured; see 'make test-cpp'")
            if self._run(_BUILD) != 0 or any(map(self._run, _TESTS)):
                raise BrokenError("firmware: its tests fail without any fault")
            self._cpp_works = True

        def run() -> str:
            if self._run(_BUILD) != 0:
                return "stillborn"
            return "noticed" if any(map(self._run, _TESTS)) else "unnoticed"

        return run

    def _run(self, command: Sequence[str]) -> int:
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self._environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ).returncode

    def _environment(self) -> dict[str, str]:
        return {
            **{key: value for key, value in os.environ.items() if key not in _LEFT_OUT},
            "PYTHONPATH": str(self.folder),
            # The same random examples for every fault.
            "CI": "true",
            # Python tells stale bytecode by size and second, which faults do not change.
            "PYTHONDONTWRITEBYTECODE": "1",
        }


def _mirror_files(root: Path, folder: Path) -> None:
    listed = subprocess.run(
        ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"),
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    kept = folder / "build/host"
    for stale in folder.rglob("*") if folder.is_dir() else ():
        inside = stale.relative_to(folder)
        if stale.is_file() and str(inside) not in listed and kept not in stale.parents:
            stale.unlink()
    for name in filter(None, listed):
        source, target = root / name, folder / name
        # Untouched files keep their times, for the compiler's sake.
        if source.is_file() and not _same(source, target):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)


def _same(one: Path, two: Path) -> bool:
    return two.is_file() and one.read_bytes() == two.read_bytes()
