"""What networks take on emulated cores with our own engine, and with TFLM and CMSIS-NN.

Figures go to docs/experiments/engine.json; those of networks, boards and engines that a run leaves
out stay as they are. 'make table' makes the pages of them.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tinyseg import files
from tinyseg.boards import board as boards
from tinyseg.boards import emulator, firmware
from tinyseg.engine.compiler import integer
from tinyseg.errors import InputError
from tinyseg.experiments.engine_table import CORES, LESS, OWN, STORED, TFLM
from tinyseg.runtime.device import DeviceRunner
from tinyseg.runtime.meaning import Head, Meaning
from tinyseg.runtime.runner import border, random_inputs, stored
from tinyseg.runtime.tflm import TflmRunner
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.ops.registry import cost, total_cost

BOARDS = tuple(CORES)
# Our engine with every row computed once, and with fewer rows in memory for more work; TFLM.
FORMS = {
    OWN: (firmware.OWN, 1.0),
    LESS: (firmware.OWN, 1.2),
    TFLM: (firmware.TFLM, 1.0),
}
_SEED = "edgeml_ds"
_MLPERF = ("keyword_spotting", "visual_wake_words", "image_classification", "anomaly_detection")
_CACHE = Path("build/bench")
# Networks of more multiply-accumulates take minutes each on the emulated Cortex-M55.
_SMALL = 1e9
_TFLM_IMAGES = 1


class Choice(NamedTuple):
    """What to measure.

    Attributes:
        networks: names, or parts of them; empty for all.
        boards: names of emulated ones.
        forms: of ``FORMS``.
        images: random inputs whose outputs are compared with those of TFLM on the host.
        only_small: leave out networks that take minutes.
        files: more networks.
    """

    networks: Sequence[str] = ()
    boards: Sequence[str] = BOARDS
    forms: Sequence[str] = tuple(FORMS)
    images: int = 8
    only_small: bool = False
    files: Sequence[Path] = ()


def measure(choice: Choice, path: Path = STORED) -> dict[str, Any]:
    """Measure, store after each board, and return all figures stored."""
    results = files.read_json(path) if path.is_file() else {"networks": {}}
    forms = [name for name in choice.forms if _is_there(name)]
    for name, model in _networks(choice):
        entry = results["networks"].setdefault(name, {"boards": {}})
        entry.update(file_bytes=len(model.content), macs=total_cost(model).macs)
        entry["input"] = [*model.inputs[0].shape[1:]]
        source = border(model)[0]
        inputs = stored(source, random_inputs(source, choice.images))
        expected = _expected(model, inputs)
        for board in choice.boards:
            found = entry["boards"].setdefault(board, {})
            for form in forms:
                figures = _try(model, board, form, inputs, expected)
                if figures is not None:
                    found[form] = figures
                    print(name, board, form, _line(figures), flush=True)
            files.write_json(path, results)
    return results


def _expected(model: TfliteModel, inputs: np.ndarray) -> np.ndarray:
    """Return what TFLM on this machine makes of inputs; slow, so it is kept below build."""
    path = _CACHE / f"{model.sha256()}-{len(inputs)}.npy"
    if not path.is_file():
        outputs = TflmRunner(model).run(inputs)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, outputs)
    return np.load(path)


def _is_there(form: str) -> bool:
    if FORMS[form][0] != firmware.TFLM or os.environ.get("TFLM_ROOT"):
        return True
    print("engine: TFLM_ROOT is not set; its figures stay as they are stored")
    return False


def _networks(choice: Choice) -> Iterator[tuple[str, TfliteModel]]:
    """Yield names and files, all by one path, so that their firmware shares a folder."""
    paths = {
        f"{path.parent.parent.name}/{path.parent.name}": path
        for path in sorted(Path("models").glob("*/*/*.tflite"))
    }
    data = os.environ.get("TINYSEG_DATA")
    seed = Path(data or "").parent / "seeds" / "edgeml" / "ds_cnn_model_quant.tflite"
    if data and seed.is_file():
        paths[_SEED] = seed
    paths |= {f"mlperf_tiny/{name}": _CACHE / f"{name}.tflite" for name in _MLPERF}
    paths |= {path.stem: path for path in choice.files}
    for name, path in paths.items():
        if choice.networks and not any(part in name for part in choice.networks):
            continue
        if name.startswith("mlperf_tiny/") and not path.is_file():
            _convert()
        model = TfliteModel.parse(path.read_bytes(), "network.tflite")
        if model.inputs[0].dtype != "int8":
            model = integer(model)  # Boards take and give integers.
        if not (choice.only_small and total_cost(model).macs > _SMALL):
            yield name, model


def _convert() -> None:
    """Write the files of MLPerf Tiny's networks; TensorFlow takes its time."""
    from tests import mlperf_tiny

    for name in _MLPERF:
        files.write_bytes(_CACHE / f"{name}.tflite", mlperf_tiny.int8_file(name))


def _try(
    model: TfliteModel, board: str, form: str, inputs: np.ndarray, expected: np.ndarray
) -> dict[str, Any] | None:
    """Return figures; None, and say why, where a network cannot run there."""
    engine, max_work = FORMS[form]
    if engine == firmware.TFLM:
        inputs, expected = inputs[:_TFLM_IMAGES], expected[:_TFLM_IMAGES]
    try:
        figures = _figures(model, board, engine, max_work, inputs, expected)
    except InputError as error:
        print(f"engine: {board}, {form}: {error}", flush=True)
        return None
    if figures["equal_images"] < len(inputs):
        print(f"engine: {board}, {form}: bytes differ from TFLM's; not stored", flush=True)
        return None
    return figures


def _figures(
    model: TfliteModel,
    board: str,
    engine: str,
    max_work: float,
    inputs: np.ndarray,
    expected: np.ndarray,
) -> dict[str, Any]:
    meaning = Meaning(Head.NONE)
    made = firmware.make(model, None, boards.load_board(board), engine, meaning, max_work)
    with emulator.start(made.board, made.image.elf) as device:
        runner = DeviceRunner(device, model)
        outputs = runner.run(inputs)
        info = runner.refresh()
    if len(set(runner.work)) > 1 and np.ptp(runner.work) > 1e-4 * runner.work[0]:
        print(f"engine: instructions depend on the image: {runner.work}", flush=True)
    return {
        "instructions": round(float(np.mean(runner.work))),
        "memory_bytes": info.arena_used,
        "planned_bytes": made.arena.measured,
        "stack_bytes": info.stack_used,
        "code_bytes": made.footprint.text,
        "kernel_bytes": _kernel_bytes(made.image.elf) if engine == firmware.OWN else None,
        "data_bytes": made.footprint.model,
        "images": len(inputs),
        "equal_images": sum(map(np.array_equal, outputs, expected)),
        "kinds": _kinds(made, runner.operator_work),
    }  # fmt: skip


def _kinds(made: firmware.Firmware, work: Sequence[int]) -> dict[str, dict[str, int]]:
    """Return instructions and multiply-accumulates by kind of operator."""
    kinds: dict[str, dict[str, int]] = {}
    for operator, instructions in zip(made.operators, work, strict=False):
        kind = kinds.setdefault(operator.opcode, {"instructions": 0, "macs": 0})
        kind["instructions"] += instructions
        kind["macs"] += cost(operator).macs
    return kinds


def _kernel_bytes(elf: Path) -> int:
    """Return the bytes of code of the engine and its kernels, without what surrounds them."""
    listed = subprocess.run(
        ["arm-none-eabi-nm", "--print-size", "--demangle", str(elf)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    sizes: dict[str, int] = {}
    for line in listed.stdout.splitlines():
        words = line.split(maxsplit=3) or [""]
        # Loops in assembly have names of C.
        is_loop = words[-1].lower().startswith("tinyseg") and "::" not in words[-1]
        is_ours = is_loop or "tinyseg::engine::" in words[-1]
        if is_ours and len(words) == 4 and words[2] in "tTrRwWV":
            sizes[words[0]] = int(words[1], 16)
    return sum(sizes.values())


def _line(figures: Mapping[str, Any]) -> str:
    equal = f"{figures['equal_images']} of {figures['images']} equal"
    told = {key: figures[key] for key in ("instructions", "memory_bytes", "planned_bytes",
            "stack_bytes", "code_bytes", "kernel_bytes", "data_bytes")}  # fmt: skip
    return f"{equal} {told}"


def main(arguments: Sequence[str]) -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(prog="bench --only engine", description=__doc__)
    add = parser.add_argument
    add("--networks", nargs="*", default=[], help="Names or parts of them; all by default.")
    add("--boards", nargs="*", default=BOARDS, choices=BOARDS, metavar="BOARD")
    add("--forms", nargs="*", default=[*FORMS], choices=FORMS, metavar="FORM", help=str([*FORMS]))
    add("--images", type=int, default=8, help="Random inputs whose outputs are compared.")
    add("--only-small", action="store_true", help="Leave out what takes minutes.")
    add("--files", nargs="*", type=Path, default=[], help="More networks.")
    add("--stored", type=Path, default=STORED, help="Where the figures go.")
    choice = vars(parser.parse_args(arguments))
    measure(Choice(**{key: choice[key] for key in Choice._fields}), choice["stored"])


if __name__ == "__main__":
    main(sys.argv[1:])
