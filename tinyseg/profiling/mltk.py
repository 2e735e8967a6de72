"""Call silabs-mltk and hold its figures against what is known."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tinyseg import files, places
from tinyseg.errors import InputError
from tinyseg.profiling.roofline import CORES, bound_cycles
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.ops.registry import cost
from tinyseg.tflite.packing import unpacked

_WORKER = Path(__file__).with_name("mltk_worker.py")
REQUIREMENTS = Path(__file__).with_name("requirements-mltk.txt")
# MLTK's estimator was calibrated on an EFR32xG24, a Cortex-M33 at 78 MHz.
ESTIMATE_CORE = CORES["cortex_m33"]
TIMEOUT_S = 300


class RefusedError(InputError):
    """MLTK does not profile a file, or crashes on it."""


def mltk_python() -> Path:
    """Return the interpreter of the environment that holds MLTK.

    Looked for in the order of :func:`tinyseg.places.mltk_places`.

    Raises:
        InputError: there is none; the message says how to make one.
    """
    for place in places.mltk_places():
        if place.is_file():
            return place
    folder = places.mltk_folder()
    raise InputError(
        "silabs-mltk's environment is missing: run 'make mltk' in a checkout, or 'python3 -m venv "
        f"{folder} && {folder}/bin/pip install --no-deps -r {REQUIREMENTS}'"
    )


def profile(model: TfliteModel, accelerator: str | None = None) -> tuple[dict[str, Any], str]:
    """Profile a file with MLTK's simulator.

    Figures that MLTK does not have (cycles, energy and time need an estimator that it
    downloads) are None, never 0. Each layer carries ``estimate``: ``none``, ``mltk``, or
    ``implausible`` where MLTK claims more MACs a cycle than the core can do, and
    ``bound_cycles`` by core.

    Args:
        model: parsed file; MLTK sees packed weights unpacked, and profiles that file.
        accelerator: ``MVP`` for Silicon Labs' matrix processor.

    Returns:
        A dict with ``flash_bytes``, ``ram_bytes``, ``macs``, ``ops``, ``layers`` and more, and
        MLTK's own text report.

    Raises:
        InputError: MLTK is missing.
        RefusedError: MLTK refuses the file.
    """
    model = unpacked(model)
    record, report = _call(model, accelerator)
    complete(record, model)
    return record, report


def complete(record: dict[str, Any], model: TfliteModel) -> None:
    """Add names, lower bounds and totals to the figures of a file's layers.

    Raises:
        InputError: they are not those of its operators.
    """
    if len(record["layers"]) != len(model.operators):
        raise InputError(f"{model.path}: MLTK saw {len(record['layers'])} of its operators")
    for layer, operator in zip(record["layers"], model.operators, strict=True):
        exact = cost(operator)
        # MLTK counts a layer's work in 32 bits.
        if (layer["macs"], layer["ops"]) == (exact.macs % 2**32, exact.ops % 2**32):
            layer["macs"], layer["ops"] = exact.macs, exact.ops
        layer["layer"] = operator.outputs[0].layer
        layer["bound_cycles"] = {key: bound_cycles(operator, core) for key, core in CORES.items()}
        layer["estimate"] = _judge(layer)
    layers = record["layers"]
    record["macs"] = sum(layer["macs"] for layer in layers)
    record["ops"] = sum(layer["ops"] for layer in layers)
    record["operators"] = len(layers)
    record["unsupported_layers"] = sum(not layer["supported"] for layer in layers)
    record["cycles"] = sum(layer["cycles"] or 0 for layer in layers) or None
    record["layers_without_estimate"] = sum(layer["estimate"] == "none" for layer in layers)
    record["bound_cycles"] = {
        key: sum(layer["bound_cycles"][key] for layer in layers) for key in CORES
    }


def write(record: dict[str, Any], report: str, folder: str | Path, stem: str) -> list[Path]:
    """Write MLTK's text report, the figures as JSON and the layers as CSV.

    Returns:
        The three paths; the text report is named as MLTK names it.
    """
    folder = Path(folder)
    return [
        files.write_text(folder / f"{stem}.tflite-profiling-results.txt", report),
        files.write_json(folder / f"{stem}.profile.json", record),
        files.write_text(folder / f"{stem}.profile.csv", _csv(record["layers"])),
    ]


def _judge(layer: dict[str, Any]) -> str:
    if not layer["cycles"]:
        return "none"
    ceiling = ESTIMATE_CORE.macs_per_cycle
    return "implausible" if layer["macs"] / layer["cycles"] > ceiling else "mltk"


def _call(model: TfliteModel, accelerator: str | None) -> tuple[dict[str, Any], str]:
    with tempfile.TemporaryDirectory(prefix="tinyseg-mltk-") as folder:
        source, report, record = (
            Path(folder, name) for name in (f"{Path(model.path).stem}.tflite", "report", "record")
        )
        source.write_bytes(model.content)
        # -P: the worker must not find this module when it imports the real mltk.
        command: list[str | Path] = [mltk_python(), "-P", _WORKER, source, report, record]
        command += [accelerator] if accelerator else []
        # This environment's packages must not leak into MLTK's.
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        try:
            result = subprocess.run(
                command, env=environment, capture_output=True, timeout=TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise RefusedError(f"{model.path}: MLTK took more than {TIMEOUT_S} s on it") from None
        try:
            answer = json.loads(record.read_text())
        except (OSError, ValueError):
            answer = {}  # It crashed before, or while, it wrote its answer.
        if result.returncode == 0 and "layers" in answer:
            return answer, report.read_text()
        cause = answer.get("error") or _last_word(result)
        raise RefusedError(f"{model.path}: MLTK cannot profile it ({cause[:300]})")


def _last_word(result: subprocess.CompletedProcess[bytes]) -> str:
    """Return the last line that a process without an answer wrote, else how it ended."""
    said = result.stderr.decode(errors="replace").split("\n")
    lines = [line.strip() for line in said if line.strip()]
    return lines[-1] if lines else f"crashed with status {result.returncode}"


def _csv(layers: list[dict[str, Any]]) -> str:
    columns = [
        "index", "opcode", "layer", "ops", "macs", "cycles", "estimate", "energy_j", "time_s",
        "inputs", "outputs", "options", "supported",
    ]  # fmt: skip
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*columns, *(f"bound_cycles_{key}" for key in CORES)])
    for layer in layers:
        writer.writerow([*(layer[c] for c in columns), *layer["bound_cycles"].values()])
    return stream.getvalue()
