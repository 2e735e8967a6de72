"""The best network of at most 60,000 parameters for breast ultrasound, by the protocol.

Candidates are compared by the validation Dice of five folds. The winner is trained with three
seeds on one fold: from scratch, and with hints of the best of some wider teachers, for as many
epochs altogether.
Each student is quantized after training and with quantization-aware training. Only then is the test
part scored, once for each network. A second round, :mod:`tinyseg.experiments.busi_final`, follows.
See ``docs/protocol.md``.
"""

from __future__ import annotations

import dataclasses
import shutil
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from tinyseg import files, presets
from tinyseg import plan as plans
from tinyseg.cli import terminal
from tinyseg.experiments import FRESH, OUTPUT, busi_final, render
from tinyseg.experiments.jobs import Jobs
from tinyseg.experiments.runs import (
    RECIPE_NAMES,
    headline,
    of_files,
    quantize_and_score,
    score_file,
)
from tinyseg.plan import Plan
from tinyseg.steps.distill import distill
from tinyseg.steps.images import open_images
from tinyseg.steps.session import Session
from tinyseg.steps.train import train
from tinyseg.zoo import build

FOLDS, SEEDS = 5, 3
MAX_PARAMETERS = 60_000
WORK = Path("build/experiments/busi_small")
# Students of the comparison.
STUDENTS = ("scratch", "hinted")


@dataclasses.dataclass(frozen=True)
class Contender:
    """A network that may be chosen.

    Attributes:
        network: name in the zoo.
        arguments: of its builder.
        size: side of its input.
        learning_rate: of its training.
    """

    network: str
    arguments: Mapping[str, Any]
    size: int = 96
    learning_rate: float = 2e-3


CANDIDATES = {
    "attention_unet_ds": Contender(
        "attention_unet_ds", {"base_width": 8, "depth": 3, "dropout": 0.0}
    ),
    "lw_unet": Contender("lw_unet", {"base_width": 7, "depth": 4}),
    "tiny_unet": Contender("tiny_unet", {"base_width": 16, "receptive_fields": 2}),
    "unet": Contender("unet", {"base_width": 5, "depth": 3}),
}
# Of these the one with the best validation Dice teaches.
TEACHERS = {
    "unet": Contender("unet", {"base_width": 8, "depth": 4}, learning_rate=1e-3),
    "lw_unet": Contender("lw_unet", {"base_width": 16, "depth": 4}, learning_rate=1e-3),
}


@dataclasses.dataclass(frozen=True)
class Effort:
    """How long everything is trained, in epochs."""

    select: int = 30
    teacher: int = 60
    hints: int = 15
    masks: int = 45
    aware: int = 8


def candidate_plan(candidate: Contender, epochs: int, *, fold: int = 0, seed: int = 0) -> Plan:
    """Return the plan by which a network is trained from scratch."""
    return plans.from_mapping(
        {
            "model": {"name": candidate.network, "arguments": dict(candidate.arguments)},
            "data": {
                "source": "busi",
                "fractions": [0.65, 0.15, 0.2],
                "folds": FOLDS,
                "fold": fold,
            },
            "preprocessing": {
                "height": candidate.size,
                "width": candidate.size,
                "channels": 1,
            },
            "training": {
                "epochs": epochs,
                "patience": epochs,
                "batch_size": 4,
                "learning_rate": candidate.learning_rate,
                "precision": "float32",
            },
            # As it is published.
            "quantization": {
                "recipe": RECIPE_NAMES["qat"],
                "epochs": Effort.aware,
                "lower": "patches",
                "equalize": True,
                "calibration_images": 64,
            },
            "seed": seed,
        }
    )


def train_fold(name: str, fold: int, epochs: int) -> dict[str, Any]:
    """Train a candidate on one fold; return its validation scores and size."""
    from tinyseg.zoo.summary import count_macs

    plan = candidate_plan(CANDIDATES[name], epochs, fold=fold)
    network = build(*plan.network)
    trained = train(plan, WORK / "select" / presets.slug(name) / f"fold{fold}")
    return {
        "validation": trained.validation,
        "parameters": network.count_params(),
        "macs": count_macs(network),
    }


def train_teacher(name: str, epochs: int) -> dict[str, Any]:
    """Train a network that may teach; return its scores on the validation part."""
    plan = candidate_plan(TEACHERS[name], epochs)
    return train(plan, WORK / "teacher" / presets.slug(name)).as_dict()


def train_scratch(name: str, seed: int, effort: Effort) -> dict[str, Any]:
    """Train the winner on the masks alone, for as many epochs as with hints."""
    epochs = 2 * effort.hints + effort.masks
    plan = candidate_plan(CANDIDATES[name], epochs, seed=seed)
    return train(plan, WORK / "scratch" / f"seed{seed}").as_dict()


def train_hinted(name: str, master: str, seed: int, effort: Effort) -> dict[str, Any]:
    """Train the winner with the hints of a teacher, then on the masks."""
    teacher = _weights("teacher", presets.slug(master))
    hints = plans.DistillationPlan(
        method="hints",
        teacher=str(teacher),
        encoder_epochs=effort.hints,
        decoder_epochs=effort.hints,
        learning_rate=2e-3,
    )
    plan = candidate_plan(CANDIDATES[name], effort.masks, seed=seed)
    plan = dataclasses.replace(plan, distillation=hints)
    return distill(plan, Session.open(teacher), WORK / "hinted" / f"seed{seed}").as_dict()


def _weights(role: str, which: str) -> Path:
    return WORK / role / which / presets.WEIGHTS


def score_nothing() -> dict[str, Any]:
    """Score the answer that there is no lesion anywhere on the test part."""
    from tinyseg.scoring.scores import score_background

    _, images = open_images(candidate_plan(next(iter(CANDIDATES.values())), 1))
    return score_background(images.part("test"))


def select(jobs: Jobs, epochs: int) -> dict[str, Any]:
    """Compare the candidates; return each one's size and validation Dice on the folds."""
    work = {
        f"select {name} {fold}": (train_fold, (name, fold, epochs))
        for fold in range(FOLDS)
        for name in CANDIDATES
    }
    results = jobs.run(work)
    table = {}
    for name, candidate in CANDIDATES.items():
        runs = [results[f"select {name} {fold}"] for fold in range(FOLDS)]
        table[name] = {
            "size": candidate.size,
            "parameters": runs[0]["parameters"],
            "macs": runs[0]["macs"],
            "dice": [headline(run["validation"]) for run in runs],
            "seconds": sum(run["seconds"] for run in runs),
        }
    return table


def winner(table: Mapping[str, Any]) -> str:
    """Return the candidate with the best mean Dice among those that are small enough."""
    small = [name for name, row in table.items() if row["parameters"] <= MAX_PARAMETERS]
    return max(small, key=lambda name: statistics.mean(table[name]["dice"]))


def _to_quantize() -> dict[str, tuple]:
    """Return the jobs that quantize the students with hints by every recipe."""
    return {
        f"hinted {recipe} {seed}": (
            quantize_and_score,
            (
                _weights("hinted", f"seed{seed}"),
                WORK / recipe / f"seed{seed}",
                {"quantization.recipe": full_name},
            ),
        )
        for recipe, full_name in RECIPE_NAMES.items()
        for seed in range(SEEDS)
    }


def compare(jobs: Jobs, name: str, effort: Effort) -> dict[str, Any]:
    """Train, quantize and score the final networks.

    Returns:
        By role the results of the seeds and their validation Dice, what predicting nothing scores,
        and the validation Dice of the teachers.
    """
    seeds = range(SEEDS)
    trained = jobs.run(
        {
            **{f"teacher {each}": (train_teacher, (each, effort.teacher)) for each in TEACHERS},
            **{f"scratch {seed}": (train_scratch, (name, seed, effort)) for seed in seeds},
        }
    )
    taught = {each: headline(trained[f"teacher {each}"]["validation"]) for each in TEACHERS}
    teacher = max(taught, key=taught.__getitem__)
    trained |= jobs.run(
        {f"hinted {seed}": (train_hinted, (name, teacher, seed, effort)) for seed in seeds}
    )
    made = jobs.run(_to_quantize())
    tested = jobs.run(
        {
            "test nothing": (score_nothing, ()),
            "test teacher": (score_file, (_weights("teacher", presets.slug(teacher)), "test")),
            **{
                f"test {role} {seed}": (score_file, (_weights(role, f"seed{seed}"), "test"))
                for role in STUDENTS
                for seed in seeds
            },
        }
    )
    runs = {"teacher": [tested["test teacher"]]}
    runs |= {role: [tested[f"test {role} {seed}"] for seed in seeds] for role in STUDENTS}
    quantized = {
        f"hinted_{recipe}": [made[f"hinted {recipe} {seed}"] for seed in seeds]
        for recipe in RECIPE_NAMES
    }
    runs |= {role: [run["test"] for run in results] for role, results in quantized.items()}
    validated = {"teacher": [trained[f"teacher {teacher}"]], **quantized}
    validated |= {role: [trained[f"{role} {seed}"] for seed in seeds] for role in STUDENTS}
    validation = {
        role: [headline(run["validation"]) for run in results]
        for role, results in validated.items()
    }
    return {
        "teachers": taught,
        "teacher": teacher,
        "runs": runs,
        "validation": validation,
        "nothing": tested["test nothing"],
        "files": of_files(quantized),
        "seconds": sum(run["seconds"] for run in (*trained.values(), *made.values())),
    }


@click.command()
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True, help="Processes.")
@OUTPUT
@click.option("--only-select", is_flag=True, help="Stop before the test part is touched.")
@FRESH
def main(jobs: int, output: Path, only_select: bool, fresh: bool) -> None:
    """Choose, train and test; write busi_small.json, .md and .png. Goes on where it stopped.

    What each run returned is kept in OUTPUT/busi_small.
    """
    terminal.quiet(False)
    results = output / "busi_small"
    if fresh:
        shutil.rmtree(WORK, ignore_errors=True)
        shutil.rmtree(results, ignore_errors=True)
    runner, effort = Jobs(results, jobs), Effort()
    table = select(runner, effort.select)
    for name, row in table.items():
        click.echo(f"{name}: {statistics.mean(row['dice']):.4f}, {row['parameters']:,} parameters")
    if only_select:
        return
    name = winner(table)
    result = {
        "candidates": table,
        "winner": name,
        "max_parameters": MAX_PARAMETERS,
        "effort": dataclasses.asdict(effort),
        **compare(runner, name, effort),
    }
    chosen = CANDIDATES[name], TEACHERS[result["teacher"]]
    student, teacher = (candidate_plan(each, epochs=1) for each in chosen)
    result["final"] = busi_final.compare(runner, student, teacher)
    files.write_json(output / "busi_small.json", result)
    render.busi_small(result, output)


if __name__ == "__main__":
    main()
