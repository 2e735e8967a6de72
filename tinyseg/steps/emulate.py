"""A trained file on an emulated board: test images, or a serial port to talk to."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from tinyseg.boards import emulator
from tinyseg.boards.board import Board, load_board
from tinyseg.boards.firmware import OWN, Firmware
from tinyseg.errors import InputError
from tinyseg.runtime.device import DeviceRunner
from tinyseg.runtime.runner import network_outputs, random_inputs
from tinyseg.runtime.tflm import TflmRunner
from tinyseg.runtime.views import views
from tinyseg.steps.evaluate import score
from tinyseg.steps.firmware import make_firmware
from tinyseg.steps.images import sample
from tinyseg.steps.session import Session
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.ops.registry import FIRMWARE_OPS, cost

# Images whose bytes are compared with those of TFLM, which is slow here.
_COMPARED = 2


def emulated_firmware(
    session: Session, board: str, engine: str = OWN, max_work: float = 1.0
) -> Firmware:
    """Compile firmware for an emulated board, or for the emulated one with a board's core.

    Args:
        session, engine, max_work: see :func:`tinyseg.steps.firmware.make_firmware`.
        board: its name.

    Raises:
        InputError: no such board, none that emulates it, or it cannot run the file.
    """
    machine = emulator.emulated(load_board(board)).name
    try:
        return make_firmware(session, machine, engine, max_work)
    except InputError as error:
        if machine == board:
            raise
        raise InputError(f"{board}, emulated by {machine}: {error}") from None


def serve(board: Board, elf: Path, port: int) -> None:
    """Run firmware until Ctrl-C, its serial port at ``socket://127.0.0.1:PORT``."""
    serial = f"tcp:127.0.0.1:{port},server=on,wait=off"
    process = subprocess.Popen(
        emulator.command(board, elf, serial), stderr=subprocess.PIPE, text=True
    )
    try:
        _, errors = process.communicate()
    except KeyboardInterrupt:
        return
    finally:
        process.kill()
    raise InputError(f"{board.name}: QEMU ended ({' '.join(errors.split()) or 'no reason given'})")


def emulate(
    session: Session, board: str, count: int = 8, engine: str = OWN, max_work: float = 1.0
) -> dict[str, Any]:
    """Run test images on an emulated board.

    Args:
        session: of a ``.tflite`` file.
        board: emulated board, or one with the core of an emulated one.
        count: images.
        engine: what runs the network, ``tinyseg`` or ``tflm``.
        max_work: see :func:`tinyseg.steps.firmware.make_firmware`.

    Returns:
        Scores, memory, instructions of each image and operator, and how the bytes of the first
        images compare with those of TFLM on the host. A file without masks or classes runs on
        random inputs, its scores are None.

    Raises:
        InputError: no such board, or one that cannot run the file; unusable images.
    """
    made = emulated_firmware(session, board, engine, max_work)
    model, meaning = made.model, session.meaning_or_none()
    scored = meaning.task is not None and session.takes_image
    chosen = sample(session.images.part("test"), count) if scored else None
    with emulator.start(made.board, made.image.elf) as device:
        runner = DeviceRunner(device, model)
        scores = None
        if chosen is None:
            inputs = random_inputs(runner.input, count)
            network_outputs(runner, inputs)
        else:
            inputs = chosen.inputs(session.preprocessing)
            scores, _ = score(runner, chosen, session.preprocessing, meaning)
        work = _of_images(runner.work, 1 if scores is None else views(session.preprocessing))
        info = runner.refresh()
        compared = _compared(runner, model, inputs[:_COMPARED])
    return {
        "board": made.board.name,
        "asked": board,
        "engine": engine,
        "images": chosen.names if chosen else [f"random {number}" for number in range(count)],
        "scores": scores,
        "instructions": work,
        "instructions_mean": float(np.mean(work)),
        "arena_used": info.arena_used,
        "arena_size": info.arena_size,
        "stack_used": info.stack_used,
        "stack_size": info.stack_size,
        "operators": _operators(made, runner),
        "compared": compared,
        "failures": [] if compared["equal"] else [f"{model.path}: {compared['text']}"],
        "firmware": made.as_dict(),
    }


def _of_images(work: list[int], looks: int) -> list[int]:
    """Return the work of each image, all looks at it together."""
    return [sum(work[first : first + looks]) for first in range(0, len(work), looks)]


def _operators(made: Firmware, runner: DeviceRunner) -> list[dict[str, Any]]:
    """Return what each operator took of the last inference."""
    return [
        {
            "index": index,
            "opcode": operator.opcode,
            "layer": operator.outputs[0].layer,
            "macs": cost(operator).macs,
            "instructions": work,
        }
        for index, (operator, work) in enumerate(
            zip(made.operators, runner.operator_work, strict=False)
        )
    ]


def _compared(runner: DeviceRunner, model: TfliteModel, inputs: np.ndarray) -> dict[str, Any]:
    """Compare a board's output bytes with those of TFLM on this machine."""
    if any(operator.opcode in FIRMWARE_OPS for operator in model.operators):
        return {"images": 0, "equal": True, "text": "TFLM on the host lacks an operator of ours"}
    host = TflmRunner(model)
    expected, made = network_outputs(host, inputs), network_outputs(runner, inputs)
    differing = int((made != expected).sum())
    verdict = f"{differing:,} differ" if differing else "equal"
    text = f"{verdict}, from those of TFLM on the host" if differing else f"{verdict} to TFLM's"
    return {
        "images": len(inputs),
        "equal": differing == 0,
        "text": f"{text}, {len(inputs)} images",
    }
