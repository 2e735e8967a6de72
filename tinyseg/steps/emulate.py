"""A trained file on an emulated board: test images, or a serial port to talk to."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from tinyseg.boards import emulator
from tinyseg.boards.board import Board, load
from tinyseg.boards.firmware import Firmware
from tinyseg.errors import InputError
from tinyseg.runtime.device import DeviceRunner
from tinyseg.runtime.runner import predict, random_inputs
from tinyseg.steps.evaluate import score
from tinyseg.steps.firmware import make_firmware
from tinyseg.steps.images import sample
from tinyseg.steps.session import Session
from tinyseg.tflite.ops.registry import cost


def emulated_firmware(session: Session, board: str) -> Firmware:
    """Compile firmware for an emulated board, or for the emulated one with a board's core.

    Raises:
        InputError: no such board, none that emulates it, or it cannot run the file.
    """
    return make_firmware(session, emulator.emulated(load(board)).name)


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


def emulate(session: Session, board: str, count: int = 8) -> dict[str, Any]:
    """Run test images on an emulated board.

    Args:
        session: of a ``.tflite`` file.
        board: emulated board, or one with the core of an emulated one.
        count: images.

    Returns:
        Scores, memory, and instructions of each image and operator. A file without masks or
        classes runs on random inputs, its scores are None.

    Raises:
        InputError: no such board, or one that cannot run the file; unusable images.
    """
    made = emulated_firmware(session, board)
    model, meaning = made.model, session.meaning_or_none()
    scored = meaning.task is not None and session.takes_image
    chosen = sample(session.images.part("test"), count) if scored else None
    with emulator.start(made.board, made.image.elf) as device:
        runner = DeviceRunner(device, model)
        scores = None
        if chosen is None:
            predict(runner, random_inputs(runner.input, count))
        else:
            scores, _ = score(runner, chosen, session.preprocessing, meaning)
        info = runner.refresh()
    operators = zip(model.operators, runner.operator_work, strict=False)
    return {
        "board": made.board.name,
        "images": chosen.names if chosen else [f"random {number}" for number in range(count)],
        "scores": scores,
        "instructions": runner.work,
        "instructions_mean": float(np.mean(runner.work)),
        "arena_used": info.arena_used,
        "arena_size": info.arena_size,
        "stack_used": info.stack_used,
        "stack_size": info.stack_size,
        "operators": [
            {
                "index": index,
                "opcode": operator.opcode,
                "layer": operator.outputs[0].layer,
                "macs": cost(operator).macs,
                "instructions": work,
            }
            for index, (operator, work) in enumerate(operators)
        ],
        "firmware": made.as_dict(),
    }
