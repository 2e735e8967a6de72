"""Verbs for more than one run or machine: tune, slurm."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyseg.cli import terminal
from tinyseg.cli.options import (
    DATA,
    FOLDER,
    JSON,
    OUTPUT,
    PLAN,
    SEED,
    SET,
    SPLIT,
    parse_settings,
    size_changes,
)

if TYPE_CHECKING:
    from tinyseg.cluster.trials import Outcome


@click.command()
@click.argument("model")
@click.option(
    "--space",
    required=True,
    metavar="FILE",
    help="YAML: what keys of the plan may be, a list of choices or {log: [1.0e-4, 1.0e-2]}, "
    "{uniform: [LEAST, MOST]}, {integers: [LEAST, MOST]}.",
)
@click.option("--trials", type=click.IntRange(1), default=20, show_default=True)
@click.option(
    "--parallel", type=click.IntRange(1), default=1, show_default=True, help="Trials at once."
)
@click.option("--address", metavar="HOST:PORT", default="", help="Of a Ray cluster.")
@DATA
@PLAN
@SET
@click.option("--epochs", type=click.IntRange(1), help="At most so many of each trial.")
@click.option("--size", type=click.IntRange(8), help="Side of the network's square input.")
@SEED
@SPLIT
@OUTPUT
@JSON
def tune(
    model: str,
    space: str,
    trials: int,
    parallel: int,
    address: str,
    data: str | None,
    plan_file: str | None,
    settings: tuple[str, ...],
    epochs: int | None,
    size: int | None,
    seed: int | None,
    split: str | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Search the plan that trains MODEL best; poor trials are stopped early.

    Scores are those of the validation images, best epoch so far: Dice of images with a lesion, or
    accuracy. What was interrupted goes on with the same command. Needs 'tinyseg[cluster]'.

    \b
    Example: tinyseg tune attention_unet_ds --space space.yaml --trials 30 --parallel 2
    """
    from tinyseg.cluster.tune import searched, tune

    changes = {
        "data.source": data,
        "training.epochs": epochs,
        **size_changes(size),
        "seed": seed,
        **parse_settings(settings),
    }
    search = searched(model, changes, plan_file, space, split, output)
    found = tune(search, trials, parallel, address)
    if as_json:
        terminal.print_json(found.as_dict())
        return
    known = sorted(found.outcomes, key=lambda one: -(one.best or 0))
    header = ["trial", "ended", "epochs", "score", "missed", "false alarms", *found.best.values]
    terminal.print_table(header, [_row(one) for one in known])
    click.echo(f"best plan: {found.plan} (trial {found.best.trial}, {found.best.best:.4f})")


def _row(one: Outcome) -> list[str]:
    values = (f"{v:.4g}" if isinstance(v, float) else str(v) for v in one.values.values())
    facts = [str(one.trial), one.state, str(len(one.epochs))]
    if one.best_epoch is None:
        return [*facts, "", "", "", *values]
    score, *counts = one.best_epoch
    shown = ("-" if count is None else str(count) for count in counts)
    return [*facts, f"{score:.4f}", *shown, *values]


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("verb", type=click.Choice(["train", "tune"]))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="ARGUMENTS...")
@click.option(
    "-o",
    "--output",
    type=FOLDER,
    required=True,
    help="Folder for the results, on storage that all nodes share.",
)
@click.option("--job", type=FOLDER, help="Script to write [OUTPUT/job.sh].")
@click.option("--minutes", type=int, default=60, show_default=True, help="Limit of one run.")
@click.option(
    "--notice", type=int, default=180, show_default=True, help="Seconds to save in before that."
)
@click.option("--cpus", type=click.IntRange(1), default=1, show_default=True, help="A task.")
@click.option("--workers", type=click.IntRange(1), default=1, help="As of 'tinyseg train'.")
@click.option(
    "--seeds", type=click.IntRange(1), default=None, help="An array of so many trainings, 0, 1, ..."
)
@click.option("--restarts", type=click.IntRange(0), default=100, show_default=True, help="At most.")
@click.option("--sbatch", multiple=True, metavar="OPTION", help="One more of sbatch's own.")
@click.option("--submit", is_flag=True, help="Hand the script to SLURM.")
def slurm(
    verb: str,
    arguments: tuple[str, ...],
    output: Path,
    job: Path | None,
    minutes: int,
    notice: int,
    cpus: int,
    workers: int,
    seeds: int | None,
    restarts: int,
    sbatch: tuple[str, ...],
    submit: bool,
) -> None:
    """Write a SLURM job that runs 'tinyseg train' or 'tinyseg tune'.

    Before its time is up the run saves its state, and the job is queued again until it is done.

    \b
    Examples:
      tinyseg slurm train attention_unet_ds --data busi -o runs/busi --seeds 5 --submit
      tinyseg slurm tune unet --space space.yaml --parallel 4 --cpus 8 -o runs/search
    """
    from tinyseg.cli.networks import train
    from tinyseg.cluster import slurm as jobs

    if workers > 1:
        arguments = (*arguments, "--workers", str(workers))
    # Refuses what the verb would refuse on the node.
    {"train": train, "tune": tune}[verb].make_context(verb, list(arguments))
    wanted = jobs.Job(
        verb, arguments, output, minutes, notice, cpus, workers, seeds or 0, restarts, sbatch
    )
    path = jobs.write(wanted, job or output / "job.sh")
    click.echo(f"job {jobs.submit(path)}: {path}" if submit else path)
