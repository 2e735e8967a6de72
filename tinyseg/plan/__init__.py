"""What was asked for and how: the plan that travels with every artefact.

A plan is a tree of frozen dataclasses. Users write (part of) it in YAML, the command line
overrides single values, and the resolved plan is stored as ``plan.json`` beside what it
produced, so that the result can be made again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dacite
import yaml

from tinyseg import files
from tinyseg.errors import InputError, meant
from tinyseg.operating_point import OperatingPoint
from tinyseg.plan.limits import need_sense
from tinyseg.plan.training import TrainingPlan
from tinyseg.provenance import provenance

FILE_NAME = "plan.json"


@dataclasses.dataclass(frozen=True)
class DataPlan:
    """Which images, and how they are divided.

    Attributes:
        source: name or path for :func:`tinyseg.data.load`.
        split_seed: seed of the grouped, stratified split.
        fractions: shares of training, validation and test.
        folds: for cross-validation: divide what is not test into so many parts; 0 for none.
        fold: the one of them that is for validation, from 0; -1 for none, so that the final
            network learns from all that is not test.
        fingerprint: SHA-256 of the data that was used; empty before it was read.
        classes: that images were classified by, in the order of the network's outputs; empty
            before the data was read, and for masks.
        whites: what was white in images of more than 8 bits, by ``whole`` and ``real`` numbers;
            empty if there were none.
    """

    source: str = "phantom"
    split_seed: int = 0
    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15)
    folds: int = 0
    fold: int = 0
    fingerprint: str = ""
    classes: tuple[str, ...] = ()
    whites: Mapping[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class PreprocessingPlan(OperatingPoint):
    """From an image file to the network's input, and from its output to a mask.

    Input = (8-bit grey or RGB, stretched to height x width) * scale + offset. The mask is that of
    the operating point whose fields stand beside these.

    Attributes:
        height, width: in pixels.
        channels: 1 converts to grey, 3 repeats grey.
        scale, offset: applied to pixel values 0..255; a number, or one for each channel.
    """

    height: int = 256
    width: int = 256
    channels: int = 3
    scale: float | tuple[float, ...] = 1 / 255
    offset: float | tuple[float, ...] = 0.0

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the network's input."""
        return self.height, self.width, self.channels


@dataclasses.dataclass(frozen=True)
class ModelPlan:
    """Which network: a name in the registry and its arguments.

    Attributes:
        name: as listed by ``tinyseg zoo``.
        arguments: passed to the builder beside the input shape.
        file: Keras model of the user's that the network is; empty for one of the registry.
    """

    name: str = "attention_unet_ds"
    arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    file: str = ""


@dataclasses.dataclass(frozen=True)
class DistillationPlan:
    """How a student learns from a teacher before, or while, it is trained.

    Attributes:
        method: ``hints``, ``soft_masks``, ``hints_and_soft_masks``, or ``none``.
        teacher: weights file of the teacher, beside its own plan.
        teacher_sha256: of that file; empty before it was read.
        ensemble: weights files of more teachers, each beside its own plan; the mean of all their
            probabilities makes the soft masks. Hints are the first teacher's.
        ensemble_sha256: of these files; empty before they were read.
        hints: layers of the student and, for each, of the teacher; empty pairs them by role.
        encoder_epochs: of learning the encoder's feature maps.
        decoder_epochs: of learning the decoder's.
        learning_rate: of these two phases at their start.
        teacher_weight: share of the teacher's probabilities in the loss of soft masks.
        mirrored: teachers of soft masks see the mirror image of each image too, and the mean of
            both answers is learned.
    """

    method: str = "none"
    teacher: str = ""
    teacher_sha256: str = ""
    ensemble: tuple[str, ...] = ()
    ensemble_sha256: tuple[str, ...] = ()
    hints: Mapping[str, str] = dataclasses.field(default_factory=dict)
    encoder_epochs: int = 20
    decoder_epochs: int = 20
    learning_rate: float = 1e-3
    teacher_weight: float = 0.5
    mirrored: bool = False


@dataclasses.dataclass(frozen=True)
class BinarizationPlan:
    """From which network a binarized one starts.

    Attributes:
        source: weights file, beside its own plan; empty if the network starts at random.
        source_sha256: of that file.
    """

    source: str = ""
    source_sha256: str = ""


@dataclasses.dataclass(frozen=True)
class QuantizationPlan:
    """How the network becomes integers.

    Attributes:
        recipe: ``static_wi8_ai8``, ``static_wi8_ai16`` or ``qat_wi8_ai8``.
        io: ``integer`` or ``float32`` type of the network's input and output.
        calibration_images: size of the representative dataset, from the training split.
        equalize: give the channels of feature maps equal ranges first, see
            :mod:`tinyseg.compression.equalization`.
        weight_bits: bits to store a weight in: 8, or 2 to 7 for as many values a channel as
            these can count.
        target: ``standard`` operators alone, or ``xnor`` for a second file whose convolutions of
            signs are the firmware's own operator.
        lower: ``none``, ``exact`` for passes that change no output byte and save memory, or
            ``patches`` to cut the network into strips too.
        epochs: of quantization-aware training.
        learning_rate: of quantization-aware training at its start.
    """

    recipe: str = "static_wi8_ai8"
    io: str = "integer"
    calibration_images: int = 32
    equalize: bool = False
    weight_bits: int = 8
    target: str = "standard"
    lower: str = "none"
    epochs: int = 4
    learning_rate: float = 1e-4


@dataclasses.dataclass(frozen=True)
class Plan:
    """A whole run. See the parts for their meaning.

    Attributes:
        seed: of weights, shuffling, augmentation and calibration choice.
        weights: SHA-256 of the float weights that were quantized; empty before that.
        provenance: versions, platform, git commit; filled in when the plan is written.
        files: SHA-256 by file name of what lies beside ``plan.json``.
    """

    model: ModelPlan = ModelPlan()
    data: DataPlan = DataPlan()
    preprocessing: PreprocessingPlan = PreprocessingPlan()
    training: TrainingPlan = dataclasses.field(default_factory=TrainingPlan)
    distillation: DistillationPlan = DistillationPlan()
    binarization: BinarizationPlan = BinarizationPlan()
    quantization: QuantizationPlan = QuantizationPlan()
    seed: int = 0
    weights: str = ""
    provenance: Mapping[str, str] = dataclasses.field(default_factory=dict)
    files: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def network(self) -> tuple[str, Mapping[str, Any], tuple[int, int, int]]:
        """Name, arguments and input shape, as :func:`tinyseg.zoo.build` takes them."""
        return self.model.name, self.model.arguments, self.preprocessing.input_shape


# Of all parts, for who misspells one.
_KEYS = [
    field.name
    for part in (
        Plan, ModelPlan, DataPlan, PreprocessingPlan, TrainingPlan, DistillationPlan,
        BinarizationPlan, QuantizationPlan,
    )
    for field in dataclasses.fields(part)
]  # fmt: skip


def from_mapping(values: Mapping[str, Any], where: str = "plan") -> Plan:
    """Build a plan from nested mappings; what is not given keeps its default.

    Raises:
        InputError: an unknown key, a value of the wrong type, or a number that makes no sense;
            ``where`` names the source.
    """
    config = dacite.Config(strict=True, cast=[tuple, float])
    try:
        made = dacite.from_dict(Plan, dict(values), config)
    except dacite.UnexpectedDataError as error:
        key = sorted(error.keys)[0]
        raise InputError(f"{where}: unknown key '{key}'{meant(key, _KEYS)}") from None
    except (dacite.DaciteError, TypeError, ValueError) as error:
        raise InputError(f"{where}: {error}") from None
    need_sense(dataclasses.asdict(made), where)
    return made


def read(path: str | Path) -> Plan:
    """Read a plan from YAML or JSON.

    Raises:
        InputError: the file is missing, malformed, or holds unknown keys.
    """
    try:
        values = yaml.safe_load(Path(path).read_text())
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: not valid YAML or JSON ({reason})") from None
    if not isinstance(values, dict):
        raise InputError(f"{path}: a plan is a mapping with keys such as model and data")
    return from_mapping(values, str(path))


def write(plan: Plan, folder: str | Path, *artefacts: str | Path) -> Path:
    """Write ``plan.json`` into ``folder`` with provenance and the hashes of ``artefacts``."""
    plan = dataclasses.replace(
        plan,
        provenance=provenance(),
        files={Path(path).name: files.sha256(path) for path in artefacts},
    )
    return files.write_json(Path(folder) / FILE_NAME, dataclasses.asdict(plan))


def as_dict(plan: Plan) -> dict[str, Any]:
    """Return a plan as plain values for JSON or YAML."""
    return dataclasses.asdict(plan)


def beside(artefact: str | Path) -> Plan | None:
    """Return the plan that made ``artefact``, or None if no plan beside it names it.

    Raises:
        InputError: the plan is malformed, or the artefact was changed after it was written.
    """
    path = Path(artefact).parent / FILE_NAME
    if not path.is_file():
        return None
    plan = read(path)
    expected = plan.files.get(Path(artefact).name)
    if expected is None:
        return None
    if expected != files.sha256(artefact):
        raise InputError(f"{artefact}: differs from the file that {path} describes; make it again")
    return plan


def override(plan: Plan, changes: Mapping[str, Any]) -> Plan:
    """Return a plan with single values replaced.

    Args:
        plan: the plan to start from.
        changes: new values by dotted name, such as ``training.epochs``; None leaves the old.

    Raises:
        InputError: an unknown name or a value of the wrong type.
    """
    values = dataclasses.asdict(plan)
    for name, value in changes.items():
        if value is None:
            continue
        *parents, leaf = name.split(".")
        place: Any = values
        for parent in parents:
            place = place.get(parent)
            if not isinstance(place, dict):
                raise InputError(f"--set {name}: a plan has no '{parent}'{meant(parent, _KEYS)}")
        place[leaf] = value
    return from_mapping(values, "plan")
