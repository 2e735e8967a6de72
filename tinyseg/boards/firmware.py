"""From a ``.tflite`` file to firmware: compile or export it, size its memory, build."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tinyseg import presets
from tinyseg.boards import c_source, emulator, program_source
from tinyseg.boards.board import Board, load_board
from tinyseg.boards.build import FIRMWARE, compile_firmware
from tinyseg.boards.c_source import MARGIN, ArenaSize
from tinyseg.boards.image import Footprint, Image, footprint, write_uf2
from tinyseg.boards.pieces import FreeMemory, pieces
from tinyseg.boards.program_source import Borders
from tinyseg.engine.compiled import Compiled, compiled
from tinyseg.engine.compiler import integer
from tinyseg.engine.cores import core_of
from tinyseg.errors import InputError
from tinyseg.plan import PreprocessingPlan
from tinyseg.runtime.device import DeviceRunner
from tinyseg.runtime.meaning import Meaning
from tinyseg.runtime.protocol import Code
from tinyseg.runtime.tflm import TflmRunner
from tinyseg.tflite import Operator, TfliteModel
from tinyseg.tflite.arena.memory import predict_arena
from tinyseg.tflite.ops.registry import FIRMWARE_OPS

# What runs the network: our own engine, or TensorFlow Lite Micro.
OWN, TFLM = "tinyseg", "tflm"
ENGINES = (OWN, TFLM)
# A request's type, sequence number and checksum, and room for the shortest requests.
_FRAME_BYTES = 128


@dataclasses.dataclass(frozen=True)
class Firmware:
    """Firmware for a model and a board.

    Attributes:
        board: what it is for.
        model: file built in.
        engine: one of :data:`ENGINES`.
        image: files to flash.
        arena: tensor arena, or the memory of a program.
        footprint: memory that it takes.
    """

    board: Board
    model: TfliteModel
    engine: str
    image: Image
    arena: ArenaSize
    footprint: Footprint

    @property
    def operators(self) -> tuple[Operator, ...]:
        """The operators whose work is counted, in order."""
        return (integer(self.model) if self.engine == OWN else self.model).operators

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "board": self.board.name,
            "model": self.model.path,
            "sha256": self.model.sha256(),
            "engine": self.engine,
            "elf": str(self.image.elf),
            "arena": dataclasses.asdict(self.arena),
            "text_bytes": self.footprint.text,
            "model_bytes": self.footprint.model,
            "data_bytes": self.footprint.data,
            "flash_bytes": self.footprint.flash,
            "regions": [dataclasses.asdict(usage) for usage in self.footprint.regions],
        }


def make(
    model: TfliteModel,
    preprocessing: PreprocessingPlan | None,
    board: Board,
    engine: str = OWN,
    meaning: Meaning | None = None,
    max_work: float = 1.0,
) -> Firmware:
    """Compile firmware.

    Memory of our own engine is planned to the byte. TFLM's tensor arena is measured by booting the
    firmware on an emulated board with the same core; where there is none, TFLM on the host
    measures it.

    Args:
        model: linted by the exporter.
        preprocessing, meaning: of input and output, see :func:`tinyseg.boards.c_source.export`.
        board: what to compile for, in ``build/firmware/BOARD/MODEL``.
        engine: one of :data:`ENGINES`; only TFLM needs ``TFLM_ROOT``.
        max_work: of our own engine, see :func:`compile_for`.

    Raises:
        InputError: a tool is missing, or the model cannot run on or does not fit the board.
    """
    ends = (preprocessing, meaning)
    if engine == TFLM:
        image, arena = _with_tflm(model, ends, board)
    else:
        image, arena = _with_own(model, ends, board, max_work)
    if board.family_id is not None:
        write_uf2(image, board)
    return Firmware(board, model, engine, image, arena, footprint(image, board))


def compile_for(
    model: TfliteModel, board: Board, max_work: float = 1.0
) -> tuple[Compiled, list[FreeMemory]]:
    """Compile a file for a board's memories.

    Args:
        model: an int8 file.
        board: whose memories.
        max_work: see :func:`tinyseg.engine.compiled.compiled`.

    Returns:
        The program, and the memory of each of its regions.

    Raises:
        InputError: our engine cannot run it, or it does not fit.
    """
    left = room(model, board)
    if not left:
        raise InputError(
            f"{model.path}: image and mask alone take more memory than {board.name} has; choose a "
            "smaller size"
        )
    sizes = [piece.bytes for piece in left]
    return compiled(model, sizes, max_work, core_of(board.core)), left


def room(model: TfliteModel, board: Board) -> list[FreeMemory]:
    """Return the memories of a board that are left for a program, besides the image and the mask.

    Both are whole in firmware, which takes them from a port; where they do not fit, none are left.
    """
    ends = integer(model)
    images = sum(t.elements * np.dtype(t.dtype).itemsize for t in (*ends.inputs, *ends.outputs))
    return pieces(board, images + _FRAME_BYTES)


def _with_own(
    model: TfliteModel, ends: Borders, board: Board, max_work: float
) -> tuple[Image, ArenaSize]:
    program, left = compile_for(model, board, max_work)
    sections = [piece.section for piece in left]
    folder = _folder(model, board, OWN)
    sources = folder / "generated"
    name = Path(model.path).stem
    program_source.export(program, ends, sections, sources, name)
    told = "planned, no margin"
    if program.core is not core_of(board.core):
        told += "; with portable kernels, faster ones need more"
    size = ArenaSize(program.ram, program.ram, told)
    return compile_firmware(board, folder / "cmake", sources), size


def _with_tflm(model: TfliteModel, ends: Borders, board: Board) -> tuple[Image, ArenaSize]:
    arena = host_arena(model)
    if board.machine or board.emulated_by:
        machine = emulator.emulated(board)
        needed = predict_arena(model, machine.target).needed
        arena = _measure(model, ends, machine, arena, needed)
    return _compile(model, ends, board, arena), arena


@contextlib.contextmanager
def booted(
    model: TfliteModel,
    preprocessing: PreprocessingPlan | None,
    board: str,
    engine: str = OWN,
    meaning: Meaning | None = None,
    max_work: float = 1.0,
) -> Iterator[DeviceRunner]:
    """Make firmware for an emulated board, or the emulated board with its core, and boot it.

    Raises:
        InputError: as of :func:`make`.
    """
    machine = emulator.emulated(load_board(board))
    made = make(model, preprocessing, machine, engine, meaning, max_work)
    with emulator.start(machine, made.image.elf) as device:
        yield DeviceRunner(device, model)


def host_arena(model: TfliteModel) -> ArenaSize:
    """Return the arena that TFLM's reference kernels on the host use, with a margin."""
    if any(operator.opcode in FIRMWARE_OPS for operator in model.operators):
        # The host cannot run it. All activations at once are an upper bound.
        measured = sum(t.elements * 8 for t in model.tensors if not t.constant) + (64 << 10)
    else:
        measured = TflmRunner(model).arena.total
    return ArenaSize.on_host(measured, model)


def _measure(
    model: TfliteModel,
    ends: Borders,
    board: Board,
    guess: ArenaSize,
    needed: int,
) -> ArenaSize:
    """Boot a firmware with a generous arena and ask how much of it was used.

    Without ``needed`` bytes TFLM cannot plan the arena.
    """
    room = board.region("ARENA").length - model.inputs[0].elements * 4 - 4096
    size = min(max(guess.size, needed + MARGIN), room) // 16 * 16
    # The host may need more than the board; only what does not even start is too small.
    generous = dataclasses.replace(guess, size=size, measured=min(guess.measured, size))
    image = _compile(model, ends, board, generous)
    with emulator.start(board, image.elf) as device:
        info = device.info()
    if info.code != Code.OK:
        reason = f"{info.text} ({info.detail:,})" if info.detail else info.text
        raise InputError(f"{model.path}: {board.name} cannot run it: {reason}")
    return ArenaSize.on_device(info.arena_used, board.name, needed)


def _compile(model: TfliteModel, ends: Borders, board: Board, arena: ArenaSize) -> Image:
    folder = _folder(model, board, TFLM)
    sources = folder / "generated"
    preprocessing, meaning = ends
    c_source.export(model, preprocessing, arena, sources, Path(model.path).stem, meaning)
    return compile_firmware(board, folder / "cmake", sources)


def image_of(model: TfliteModel, board: Board, engine: str) -> Image:
    """Return where :func:`make` puts the files to flash; they need not be there yet."""
    return Image((_folder(model, board, engine) / "cmake" / f"{FIRMWARE}.elf").resolve())


def _folder(model: TfliteModel, board: Board, engine: str) -> Path:
    return presets.BUILD / "firmware" / board.name / engine / Path(model.path).stem
