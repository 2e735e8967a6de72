"""Options and small steps that several verbs share."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tinyseg.cli import terminal
from tinyseg.errors import GateError, InputError

if TYPE_CHECKING:
    from tinyseg.steps.train import Trained

JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
_LABELS = "tinyseg.labels"


def _keep_labels(context: click.Context, parameter: click.Parameter, text: str | None) -> None:
    context.meta[_LABELS] = text


def with_labels(
    context: click.Context, parameter: click.Parameter, source: str | None
) -> str | None:
    """Put what ``--labels`` says, if anything, into the data source that it is about."""
    text = context.meta.get(_LABELS)
    if text is None:
        return source
    if source is None:
        raise InputError(f"--labels {text}: says what masks mean; name their data set with --data")
    from tinyseg.data import with_option

    return with_option(source, "labels", text)


LABELS = click.option(
    "--labels",
    metavar="VALUES",
    is_eager=True,
    expose_value=False,
    callback=_keep_labels,
    help="What values of the masks mean, if they do not say so: 'lesion=1,cyst=2+3' for two "
    "regions, '1' or '1+2' for one, 'all' for every value but 0.",
)
_DATA = click.option(
    "--data",
    metavar="NAME|PATH",
    callback=with_labels,
    help="'phantom' (generated, the default), 'busi', 'dsb2018', 'em_isbi2012', 'isic2018', "
    "'brats2020', 'brats_nifti', 'dic1', 'brain_mri', or a folder, archive or URL of images and "
    "masks.",
)


def DATA(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--data`` and ``--labels``; the latter becomes part of the former."""
    return _DATA(LABELS(command))


class _Folder(click.Path):
    """A folder here; URLs are refused where results cannot be uploaded."""

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> Any:
        """Return the path."""
        if "://" in str(value):
            raise InputError(f"{value}: results of this verb go to a folder here; copy them there")
        return super().convert(value, parameter, context)


class _Place(click.Path):
    """A folder here, or the URL of one in a store."""

    name = "folder or URL"

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> Any:
        """Return the path, or the URL as text."""
        remote = "://" in str(value)
        return str(value) if remote else super().convert(value, parameter, context)


FOLDER, PLACE = _Folder(path_type=Path), _Place(path_type=Path)
OUTPUT = click.option("-o", "--output", type=FOLDER, help="Folder for the results.")
OUTPUT_OR_URL = click.option(
    "-o",
    "--output",
    type=PLACE,
    help="Folder for the results, or the URL of one, such as s3://bucket/run.",
)
SIZE = click.option(
    "--size",
    type=click.IntRange(8),
    help="Side of the square input of a Keras model that takes images of any size.",
)
UNSAFE = click.option(
    "--unsafe",
    is_flag=True,
    help="Run code that a Keras model file holds, such as Lambda layers; only if you trust it.",
)
SPLIT = click.option("--split", metavar="FILE", help="Use this split file instead of a new split.")
SET = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change one value of the plan, e.g. training.epochs=5 or model.arguments.base_width=8.",
)
WATCH = click.option(
    "--watch",
    type=click.Choice(["calm", "sagemaker", "off"]),
    default="calm",
    show_default=True,
    help="Thresholds of the rules that warn of a training that goes wrong: calm ones, those that "
    "SageMaker Debugger published, or none.",
)
STOP_ON = click.option(
    "--stop-on",
    multiple=True,
    metavar="RULE",
    help="End the training with exit code 1 when this rule finds something; see docs/watching.md.",
)
MLFLOW = click.option(
    "--mlflow", metavar="URI", help="Log the run to this tracking server or folder of MLflow."
)
PLAN = click.option(
    "--plan", "plan_file", metavar="FILE", help="Start from this YAML or JSON plan."
)
SEED = click.option("--seed", type=click.IntRange(0), help="Seed of weights, order and choices.")
DRY_RUN = click.option("--dry-run", is_flag=True, help="Print the resolved plan and stop.")
RECIPE = click.option(
    "--recipe",
    default="static_wi8_ai8",
    show_default=True,
    help="Quantization recipe of the file, where a network is named.",
)
MAX_DROP = click.option(
    "--max-drop",
    type=float,
    help="Fail if mean Dice (of images with a lesion) or accuracy falls by more than this from "
    "float to integer: 0.01, or 0.005 with quantization-aware training.",
)
COUNT = click.option(
    "--images",
    type=click.IntRange(1),
    default=8,
    show_default=True,
    help="Test images to run.",
)
BACKENDS = click.Choice(["engine", "reference", "tflm", "tflite"])
CHECKED = click.option(
    "--images",
    type=click.IntRange(1),
    help="Test images to check on TensorFlow Lite Micro and on TensorFlow Lite's reference "
    "kernels, which take seconds each; otherwise as many as they manage in a fixed time, 2 at "
    "least. tinyseg's engine runs all of them.",
)


ENGINE = click.option(
    "--engine",
    type=click.Choice(["tinyseg", "tflm"]),
    default="tinyseg",
    show_default=True,
    help="What runs the network: tinyseg's own engine, or TensorFlow Lite Micro (TFLM_ROOT).",
)
MAX_WORK = click.option(
    "--max-work",
    type=click.FloatRange(1),
    default=1.0,
    show_default=True,
    help="Work, times that of the file, that our own engine may take to need less memory: it "
    "computes rows again rather than keeping them. Work is instructions, or multiply-accumulates "
    "for a core without kernels of its own.",
)


def _emulated_board(
    context: click.Context, parameter: click.Parameter, name: str | None
) -> str | None:
    """Refuse a board that cannot be emulated before the long work starts, not after it."""
    if name is None:
        return None
    from tinyseg.boards import emulator, load_board

    machine = emulator.emulated(load_board(name)).name
    if machine != name:
        click.echo(f"{name}: emulated by {machine}, which has its core", err=True)
    return machine


ON = click.option(
    "--on",
    "board",
    metavar="BOARD",
    callback=_emulated_board,
    help="Run the images on this emulated board too; see 'tinyseg boards'.",
)


def size_changes(size: int | None) -> dict[str, Any]:
    """Return values of the plan by dotted name for a square input."""
    return {"preprocessing.height": size, "preprocessing.width": size}


class _Numbers(click.ParamType):
    """A number, or one for each channel with commas between."""

    name = "NUMBER[,NUMBER...]"

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> float | tuple[float, ...]:
        """Return the number, or the numbers."""
        try:
            numbers = tuple(map(float, str(value).split(",")))
        except ValueError:
            self.fail(f"'{value}' is not a number, nor numbers with commas between")
        if not all(map(math.isfinite, numbers)):
            self.fail(f"'{value}' is not finite")
        return numbers if len(numbers) > 1 else numbers[0]


# The names of tinyseg.runtime.meaning.Head, which takes a while to import.
HEAD_NAMES = ("sigmoid", "logits", "softmax", "softmax-logits", "labels", "classes", "none")
_STATED = (
    click.option(
        "--scale", type=_Numbers(), help="Input = pixel 0..255 * scale + offset; else as found."
    ),
    click.option("--offset", type=_Numbers(), help="See --scale."),
    click.option(
        "--threshold",
        type=click.FloatRange(0, 1),
        help="Probabilities above it are foreground; 0.5 unless the plan says otherwise.",
    ),
    click.option(
        "--head",
        type=click.Choice(HEAD_NAMES),
        help="What the output means; found from its shape, type and operators where they say it.",
    ),
    click.option(
        "--mask-output",
        type=click.IntRange(0),
        metavar="N",
        help="Which output it is, from 0, of a file with several.",
    ),
)


def stated_options(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb the options that say what goes into a file and comes out, as ``stated``."""

    @functools.wraps(verb)
    def with_stated(*arguments: Any, **options: Any) -> None:
        from tinyseg.steps.border import Stated

        names = ("scale", "offset", "threshold", "head", "mask_output")
        stated = Stated.of(**{name: options.pop(name) for name in names})
        verb(*arguments, stated=stated, **options)

    for option in reversed(_STATED):
        with_stated = option(with_stated)
    return with_stated


def run_hooks(watch: str, stop_on: Sequence[str], mlflow: str | None) -> list[Any]:
    """Return what follows a training run by ``--watch``, ``--stop-on`` and ``--mlflow``."""
    from tinyseg.steps import train

    if stop_on and watch == "off":
        raise InputError(f"--stop-on {stop_on[0]}: needs the rules; leave out --watch off")
    hooks = [] if watch == "off" else [train.watching(watch, stop_on)]
    return [*hooks, train.logging_to_mlflow(mlflow)] if mlflow else hooks


def parse_settings(settings: Sequence[str]) -> dict[str, Any]:
    """Turn ``KEY=VALUE`` strings into values by dotted name; values are YAML."""
    import yaml

    values = {}
    for setting in settings:
        key, separator, value = setting.partition("=")
        if not separator:
            raise InputError(f"--set {setting}: expected KEY=VALUE")
        try:
            values[key] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise InputError(f"--set {setting}: '{value}' is not a YAML value") from None
    return values


def print_trained(result: Trained, as_json: bool) -> None:
    """Print what a training verb ends with."""
    if as_json:
        terminal.print_json(result.as_dict())
        return
    if scores := result.validation:
        from tinyseg.reporting.numbers import false_alarms, missed_lesions

        shown = ", ".join(f"{title} {value:.4f}" for title, value in leading(scores))
        if scores.get("healthy_images"):
            shown += f", false alarms {false_alarms(scores)}"
        if scores.get("lesion_images"):
            shown += f", missed lesions {missed_lesions(scores)}"
        click.echo(f"validation {shown}")
    click.echo(f"weights: {result.as_dict()['weights']}")


def leading(scores: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Return title and value of the scores that stand for a task; none of no scores.

    Where some images have no lesion, a title says whether they count.
    """
    from tinyseg.scoring.scores import SCORES, lesions

    rows = [row for rows in SCORES.values() if rows[0].key in scores for row in rows]
    if "with_lesion" not in scores:
        return [(title, scores[key]) for key, title in rows]
    key, title = rows[0]
    shown = [(f"{title} (lesions)", lesions(scores)[key])]
    return shown + [(f"{title} (all images)", scores[key]) for key, title in rows]


def fail_on(failures: Sequence[str]) -> None:
    """Raise a GateError if any bar was missed."""
    if failures:
        raise GateError("\n".join(failures))
