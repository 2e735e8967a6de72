"""Long work in several processes, of which each result is kept."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tinyseg import files, presets, progress


class Jobs:
    """Runs functions in processes of one thread each, and keeps what each returns as JSON.

    Small networks do not keep two cores busy: two processes of one thread take about half as long.

    Args:
        folder: for the results; what is there already is not run again.
        processes: at a time.
    """

    def __init__(self, folder: Path, processes: int) -> None:
        self.folder, self.processes = folder, processes

    def run(self, work: Mapping[str, tuple[Callable[..., Any], tuple]]) -> dict[str, Any]:
        """Return the result of each job, a mapping of plain values, with its ``seconds``.

        The first failure ends the work; jobs that have not begun are left out.

        Args:
            work: by a name, a function of a module and its arguments.
        """
        missing = [name for name in work if not self._path(name).is_file()]
        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(
            self.processes, context, _use_one_core, max_tasks_per_child=1
        ) as pool:
            started = {pool.submit(_timed, *work[name]): name for name in missing}
            done = concurrent.futures.as_completed(started)
            try:
                for future in progress.track(done, "runs", len(started)):
                    files.write_json(self._path(started[future]), future.result())
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        return {name: files.read_json(self._path(name)) for name in work}

    def _path(self, name: str) -> Path:
        return self.folder / f"{presets.slug(name)}.json"


def _use_one_core() -> None:
    """Make TensorFlow, which is not imported yet, use one thread."""
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ[name] = "1"


def _timed(function: Callable[..., Any], arguments: tuple) -> dict[str, Any]:
    start = time.monotonic()
    result = function(*arguments)
    return {**result, "seconds": time.monotonic() - start}
