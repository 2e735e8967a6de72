"""Check that a board gives the bytes of the interpreter on the host."""

from __future__ import annotations

import dataclasses

import numpy as np

from tinyseg import progress
from tinyseg.runtime.device import DeviceRunner
from tinyseg.runtime.runner import stored


@dataclasses.dataclass(frozen=True)
class OnDevice:
    """What a board made of the images.

    Attributes:
        board: its name.
        bit_exact: whether its output bytes equal those of TFLM on the host.
        differing_bytes: output elements that differ.
        repeatable: whether the first image took the same work, and gave the same bytes, again.
        unit: of work: ``instructions`` on an emulated board, ``cycles`` on a real one.
        work: of each image.
        operator_work: of each operator on the last image.
        arena_used, arena_size: tensor arena in bytes.
        stack_used, stack_size: in bytes.
    """

    board: str
    bit_exact: bool
    differing_bytes: int
    repeatable: bool
    unit: str
    work: tuple[int, ...]
    operator_work: tuple[int, ...]
    arena_used: int
    arena_size: int
    stack_used: int
    stack_size: int

    def failures(self) -> list[str]:
        """Return one line for each missed bar."""
        lines = []
        if not self.bit_exact:
            lines.append(
                f"{self.board} and TFLM on the host differ in {self.differing_bytes} output "
                "values; build TFLite Micro from the version of the installed wheel"
            )
        if not self.repeatable:
            lines.append(f"{self.board}: the same image gave other bytes or another count")
        return lines


def run_on_device(
    runner: DeviceRunner, inputs: np.ndarray, expected: np.ndarray
) -> tuple[OnDevice, np.ndarray]:
    """Run images on a board, the first one twice.

    Args:
        runner: the board, with its firmware running.
        inputs: float32 network inputs ``(n, h, w, c)``, n at least 1.
        expected: stored outputs of TFLM on the host.

    Returns:
        The verdict, and the board's stored outputs.
    """
    content = stored(runner.input, inputs)
    rows = progress.track(range(len(content)), f"images on {runner.info.board}")
    outputs = np.concatenate([runner.run(content[row : row + 1]) for row in rows])
    operator_work, work = runner.operator_work, list(runner.work)
    again = runner.run(content[:1])
    # Cycles of a real board vary with its memories' refresh; instructions never do.
    counts_repeat = runner.unit != "instructions" or runner.work[-1] == work[0]
    info = runner.refresh()
    differing = int((outputs != expected).sum())
    return OnDevice(
        board=info.board,
        bit_exact=differing == 0,
        differing_bytes=differing,
        repeatable=counts_repeat and bool((again == outputs[:1]).all()),
        unit=runner.unit,
        work=tuple(work),
        operator_work=tuple(operator_work),
        arena_used=info.arena_used,
        arena_size=info.arena_size,
        stack_used=info.stack_used,
        stack_size=info.stack_size,
    ), outputs
