"""What comes out of quantizing a network: every figure of it, typed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinyseg.operating_point import OperatingPoint
from tinyseg.verification.gates import Missed
from tinyseg.verification.on_device import OnDevice
from tinyseg.verification.verify import Verification


@dataclasses.dataclass(frozen=True)
class NetworkFacts:
    """The float network.

    Attributes:
        name, arguments: in the zoo, and of its builder.
        input_shape: height, width, channels.
        parameters, macs: weights, and multiply-accumulates of one image.
    """

    name: str
    arguments: dict[str, Any]
    input_shape: list[int]
    parameters: int
    macs: int


@dataclasses.dataclass(frozen=True)
class DataFacts:
    """The images.

    Attributes:
        name: of a folder for them.
        fingerprint: SHA-256 of the data.
        images: how many there are.
        labels: how many of each label.
        train, validation, test: how many of each part.
    """

    name: str
    fingerprint: str
    images: int
    labels: dict[str, int]
    train: int
    validation: int
    test: int


@dataclasses.dataclass(frozen=True)
class WeightsFacts:
    """The float weights.

    Attributes:
        file: name of the file.
        trained_on: name of the data.
        same_data: whether these are the images of this run.
    """

    file: str
    trained_on: str
    same_data: bool


@dataclasses.dataclass(frozen=True)
class Packing:
    """How a file with few values a channel is stored.

    Attributes:
        unpacked_bytes: size of the same file without packing.
        bits: of a weight, by tensor.
    """

    unpacked_bytes: int
    bits: dict[str, int]


@dataclasses.dataclass(frozen=True)
class HeldOut:
    """Scores on the test part, as of :func:`tinyseg.scoring.scores.score_outputs`.

    Attributes:
        floats, integers: of the float network and of the file.
        background: of predicting no mask at all; None for classes.
    """

    floats: dict[str, Any]
    integers: dict[str, Any]
    background: dict[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        values = {"float": self.floats, "integer": self.integers}
        return values if self.background is None else {**values, "background": self.background}


@dataclasses.dataclass(frozen=True)
class BinaryForm:
    """The second file, whose convolutions of signs are the firmware's own operator.

    Attributes:
        file, file_bytes: its name and size.
        replaced: layers.
        mask_agreement: share of the mask pixels that equal those of the standard file.
        scores: on the verified images.
        device: what a board made of them; None if none took part.
        missed: gates that it did not pass.
    """

    file: str
    file_bytes: int
    replaced: list[str]
    mask_agreement: float
    scores: dict[str, Any]
    device: OnDevice | None
    missed: tuple[Missed, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        del values["missed"]
        values["device"] = self.device and dataclasses.asdict(self.device)
        return {**values, "failures": [missed.line for missed in self.missed]}


@dataclasses.dataclass(frozen=True)
class Run:
    """A quantized network, scored, verified and profiled.

    Attributes:
        folder: where the files lie.
        model, data, weights: what the file was made of.
        task: ``segmentation`` or ``classification``.
        recipe, io: of the file.
        file, file_bytes, file_sha256: its name, size and hash.
        test: scores of both networks on the test part.
        test_images: first score of each image, ``{"name", "float", "integer"}``.
        simulation_agreement: share of decisions that equal those of the simulation in Keras; None
            where there was none.
        packing: None if the file is not packed.
        verification: the verdict on the file.
        xnor: the second file; None if none was asked for.
        profile: MLTK's figures; None without them.
        missed: gates that were not passed.
        provenance: versions of what took part.
        operating_point: that masks are made at.
        watched: what rules found in the training, as ``rules.json`` holds it; None if none watched.
        verdict: lines for people, see :func:`tinyseg.steps.verdict.verdict`.
    """

    folder: Path
    model: NetworkFacts
    task: str
    data: DataFacts
    weights: WeightsFacts
    recipe: str
    io: str
    file: str
    file_bytes: int
    file_sha256: str
    test: HeldOut
    test_images: list[dict[str, Any]]
    simulation_agreement: float | None
    packing: Packing | None
    verification: Verification
    xnor: BinaryForm | None
    profile: dict[str, Any] | None
    missed: tuple[Missed, ...]
    provenance: Mapping[str, str]
    operating_point: OperatingPoint = dataclasses.field(default_factory=OperatingPoint)
    watched: dict[str, Any] | None = None
    verdict: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """The ``.tflite`` file."""
        return self.folder / self.file

    @property
    def failures(self) -> list[str]:
        """One line for each gate that was not passed."""
        return [missed.line for missed in self.missed]

    def as_dict(self) -> dict[str, Any]:
        """Return the plain values that ``report.json`` holds."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        del values["folder"], values["missed"], values["verdict"]
        for key in ("model", "data", "weights"):
            values[key] = dataclasses.asdict(values[key])
        values |= {
            "operating_point": self.operating_point.point_values(),
            "test": self.test.as_dict(),
            "packing": self.packing and dataclasses.asdict(self.packing),
            "verification": self.verification.as_dict(),
            "xnor": self.xnor and self.xnor.as_dict(),
        }
        # Last, as they always stood in the file.
        del values["provenance"]
        return {**values, "failures": self.failures, "provenance": dict(self.provenance)}
