"""The verb that looks inside a trained network."""

from __future__ import annotations

from pathlib import Path

import click

from tinyseg.cli import terminal
from tinyseg.cli.options import DATA, JSON, OUTPUT


@click.command()
@click.argument("model_or_weights")
@DATA
@click.option(
    "--part",
    type=click.Choice(["train", "validation", "test", "all"]),
    default="validation",
    show_default=True,
    help="Which part of the data.",
)
@click.option(
    "--images", type=click.IntRange(1, 64), default=6, show_default=True, help="Images to show."
)
@click.option("--volume", metavar="PATIENT", help="Whose slices are animated; else the first's.")
@OUTPUT
@JSON
def inspect(
    model_or_weights: str,
    data: str | None,
    part: str,
    images: int,
    volume: str | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Draw filters, attention, predictions and a patient's slices of a trained network.

    Attention is animated over the epochs if the network was trained with
    --set training.attention_maps=true.

    \b
    Examples:
      tinyseg inspect attention_unet_ds
      tinyseg inspect build/run/weights.h5 --part test --images 12 -o build/inside
    """
    from tinyseg.steps import inspect as step
    from tinyseg.steps.session import Session

    found = step.inspect(Session.open(model_or_weights, data), part, images, volume, output)
    if as_json:
        terminal.print_json(found)
        return
    for path in (found["page"], *found["pictures"]):
        click.echo(path)
