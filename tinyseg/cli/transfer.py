"""Verbs that make a network of a trained one: distillation, binarization."""

from __future__ import annotations

from pathlib import Path

import click

from tinyseg.cli import terminal
from tinyseg.cli.options import (
    DATA,
    DRY_RUN,
    JSON,
    OUTPUT,
    SEED,
    SET,
    SPLIT,
    parse_settings,
    print_trained,
)


@click.command()
@click.argument("teacher")
@click.argument("student")
@DATA
@click.option(
    "--method",
    type=click.Choice(["hints", "soft_masks", "hints_and_soft_masks"]),
    default="hints",
    show_default=True,
    help="Learn the teacher's feature maps first, its probabilities beside the masks, or both.",
)
@SET
@click.option("--epochs", type=click.IntRange(1), help="At most so many passes on the masks.")
@SEED
@SPLIT
@OUTPUT
@DRY_RUN
@JSON
def distill(
    teacher: str,
    student: str,
    data: str | None,
    method: str,
    settings: tuple[str, ...],
    epochs: int | None,
    seed: int | None,
    split: str | None,
    output: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Train STUDENT with the help of TEACHER, a trained network or its weights file.

    Data, size and widths are the teacher's unless --set changes them; an interrupted run goes on
    where it stopped.

    \b
    Examples:
      tinyseg distill unet lw_unet
      tinyseg distill unet lw_unet --set model.arguments.base_width=8
      tinyseg distill unet lw_unet --set distillation.encoder_epochs=40
    """
    from tinyseg import plan as plans
    from tinyseg.steps import distill as step
    from tinyseg.steps.networks import successor
    from tinyseg.steps.session import Session

    trained = Session.open(teacher, data)
    changes = {
        "distillation.method": method,
        "distillation.teacher": str(trained.path),
        "training.epochs": epochs,
        "seed": seed,
        **parse_settings(settings),
    }
    plan = successor(trained.plan, student, changes)
    if dry_run:
        terminal.print_json(plans.as_dict(plan))
        return
    print_trained(step.distill(plan, trained, output, split), as_json)


@click.command()
@click.argument("model")
@DATA
@click.option("--target", default="blu_net", show_default=True, help="The binarized network.")
@SET
@click.option("--epochs", type=click.IntRange(1), help="At most so many passes over the images.")
@SEED
@SPLIT
@OUTPUT
@DRY_RUN
@JSON
def binarize(
    model: str,
    data: str | None,
    target: str,
    settings: tuple[str, ...],
    epochs: int | None,
    seed: int | None,
    split: str | None,
    output: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Make a residual-binarized network of MODEL, a trained network or its weights file.

    \b
    Examples:
      tinyseg binarize lw_unet
      tinyseg binarize lw_unet --set model.arguments.per_channel=true
      tinyseg binarize unet --set model.arguments.separable=false
    """
    from tinyseg import plan as plans
    from tinyseg.steps import binarize as step
    from tinyseg.steps.networks import successor
    from tinyseg.steps.session import Session

    trained = Session.open(model, data)
    changes = {
        "binarization.source": str(trained.path),
        "training.epochs": epochs,
        "seed": seed,
        **parse_settings(settings),
    }
    plan = successor(trained.plan, target, changes)
    if dry_run:
        terminal.print_json(plans.as_dict(plan))
        return
    print_trained(step.binarize(plan, trained, output, split), as_json)
