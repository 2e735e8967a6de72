"""A trained file on a board: firmware, emulation, images over a serial port."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyseg import files, progress
from tinyseg.boards import emulator
from tinyseg.boards.board import Board
from tinyseg.boards.firmware import Firmware
from tinyseg.data.images import encode_image, read_image
from tinyseg.data.store import normalise, resize_image
from tinyseg.errors import InputError
from tinyseg.plan import PreprocessingPlan
from tinyseg.prediction import refuse_same_names
from tinyseg.runtime.device import Device, DeviceRunner, open_port
from tinyseg.runtime.tflite import TfliteRunner
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.lint import usable
from tinyseg.tflite.ops.registry import cost
from tinyseg.workflow import open_images, plan_of, sample, score

if TYPE_CHECKING:
    from tinyseg.plan import Plan


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


def emulate(firmware: Firmware, source: str | None, count: int) -> dict[str, Any]:
    """Run ``count`` test images on an emulated board.

    Returns:
        Scores, memory, and instructions of each image and operator.
    """
    model = firmware.model
    plan, _ = plan_of(model.path, source)
    plan, images = open_images(plan, home=Path(model.path).parent)
    chosen = sample(images.part("test"), count)
    with emulator.start(firmware.board, firmware.image.elf) as device:
        runner = DeviceRunner(device, model)
        scores, _ = score(runner, chosen, plan.preprocessing)
        info = runner.refresh()
    operators = zip(model.operators, runner.operator_work, strict=False)
    return {
        "board": firmware.board.name,
        "images": chosen.names,
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
        "firmware": firmware.as_dict(),
    }


@dataclasses.dataclass(frozen=True)
class DeviceMask:
    """What a device made of an image file.

    Attributes:
        image: path of the image.
        mask: path of the mask that was written, values 0 and 255 at the network's size.
        foreground: share of the pixels.
        ticks: processor clock ticks of the inference.
        milliseconds: the same as time; of no meaning on an emulated device.
        differing_pixels: mask pixels that differ from the host's.
    """

    image: str
    mask: str
    foreground: float
    ticks: int
    milliseconds: float
    differing_pixels: int


def run_images(
    port: str,
    baud: int,
    model: TfliteModel,
    plan: Plan,
    images: Sequence[Path],
    folder: Path,
    timeout: float,
) -> tuple[dict[str, Any], list[DeviceMask]]:
    """Send image files to a device, receive masks, and compare them with the host's.

    Args:
        port: see :func:`tinyseg.runtime.device.open_port`.
        baud: speed of a serial port.
        model: the file that the device was flashed with.
        plan: its preprocessing.
        images: files of any size.
        folder: where the masks go, ``NAME_mask.png``.
        timeout: seconds that an inference may take.

    Returns:
        What the device told of itself, and a record for each image.

    Raises:
        InputError: the file makes no masks; no device, another model on it, an unreadable image,
            or two of one name.
    """
    usable(model)
    if len(model.outputs[0].shape) != 4:
        raise InputError(f"{model.path}: makes no masks; score it with 'tinyseg verify --on BOARD'")
    refuse_same_names(images)
    pixels = [resize_image(read_image(path), plan.preprocessing) for path in images]
    host = TfliteRunner(model, reference=True)
    records = []
    with open_port(port, baud) as opened:
        device = Device(opened, port, timeout=timeout)
        info = DeviceRunner(device, model).info
        for path, image in progress.track(
            zip(images, pixels, strict=True), f"images on {info.board}", len(images)
        ):
            bits, ticks = device.run_image(image)
            expected = _host_mask(host, image, plan.preprocessing)
            mask = bits[: expected.size].reshape(expected.shape)
            target = folder / f"{path.stem}_mask.png"
            files.write_bytes(target, encode_image(255 * mask.astype(np.uint8), ".png"))
            records.append(
                DeviceMask(
                    str(path),
                    str(target),
                    float(mask.mean()),
                    ticks,
                    1000 * ticks / info.clock_hz,
                    int((mask != expected).sum()),
                )
            )
    return dataclasses.asdict(info), records


def _host_mask(
    host: TfliteRunner, image: np.ndarray, preprocessing: PreprocessingPlan
) -> np.ndarray:
    """Return the mask of one image, bool ``(h, w, classes)``."""
    stored = host.input.quantize(normalise(image, preprocessing))
    probabilities = host.output.dequantize(host.run(stored[None]))
    return probabilities[0] > preprocessing.threshold
