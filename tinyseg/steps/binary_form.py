"""A second file, whose convolutions of signs are the firmware's own operator."""

from __future__ import annotations

from pathlib import Path

from tinyseg import files
from tinyseg.boards.firmware import booted
from tinyseg.data.store import ImageStore
from tinyseg.errors import InputError
from tinyseg.plan import PreprocessingPlan
from tinyseg.runtime.segmented import SegmentedRunner
from tinyseg.steps.evaluate import score
from tinyseg.steps.images import sample
from tinyseg.steps.run import BinaryForm
from tinyseg.steps.session import Session
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.nodes import layer_of
from tinyseg.tflite.packing import pack, unpacked
from tinyseg.tflite.xnor import lower_binary_convolutions
from tinyseg.verification.gates import Gate, Missed
from tinyseg.verification.on_device import OnDevice, run_on_device

# Of the mask pixels, or classes, between two forms of a network that ought to be one.
MIN_AGREEMENT = 0.999


def write_binary_form(made: Session, folder: Path, count: int, board: str | None) -> BinaryForm:
    """Write the file with binary convolutions; compare it with the standard one, and a board.

    Args:
        made: the standard file.
        folder: where ``MODEL_xnor.tflite`` goes.
        count: test images that both run.
        board: emulated board that runs them too.

    Raises:
        InputError: there is no convolution of signs.
    """
    name = made.plan.model.name
    content, replaced = lower_binary_convolutions(unpacked(made.model).content)
    if not replaced:
        raise InputError(
            f"{name}: has no convolution of signs; take blu_net with separable=false, "
            "positive=false, conv_levels=1 and activation_levels=1"
        )
    path = files.write_bytes(folder / f"{name}_xnor.tflite", pack(content))
    lowered = TfliteModel.read(path)
    images = sample(made.images.part("test"), count)
    ends = (made.preprocessing, made.reading)
    scores, masks = score(SegmentedRunner(lowered), images, *ends)
    _, standard = score(made.runner(), images, *ends)
    agreement = float((masks == standard).mean())
    missed = []
    if agreement < MIN_AGREEMENT:
        line = (
            f"{path}: {agreement:.2%} of the mask pixels are those of the standard "
            f"file, {MIN_AGREEMENT:.1%} are asked; report this network"
        )
        missed.append(Missed(Gate.BINARY, line))
    device = None
    if board is not None:
        device = _run_on_board(lowered, made.preprocessing, images, board)
        missed += [Missed(Gate.DEVICE, f"{path}: {line}") for line in device.failures()]
    return BinaryForm(
        file=path.name,
        file_bytes=len(lowered.content),
        replaced=[layer_of(layer) for layer in replaced],
        mask_agreement=agreement,
        scores=scores,
        device=device,
        missed=tuple(missed),
    )


def _run_on_board(
    model: TfliteModel, preprocessing: PreprocessingPlan, images: ImageStore, board: str
) -> OnDevice:
    inputs = images.inputs(preprocessing)
    host = SegmentedRunner(model)
    expected = host.run(host.input.quantize(inputs))
    with booted(model, preprocessing, board) as device:
        return run_on_device(device, inputs, expected)[0]
