"""The verb that serves a page for trying a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tinyseg.cli.options import (
    DATA,
    RECIPE,
    stated_options,
)

if TYPE_CHECKING:
    from tinyseg.steps.border import Stated


@click.command()
@click.argument("model_or_file")
@DATA
@RECIPE
@stated_options
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port; 0 takes a free one.",
)
def demo(
    model_or_file: str,
    data: str | None,
    recipe: str,
    host: str,
    port: int,
    stated: Stated,
) -> None:
    """Serve a page that shows float and integer masks of an image side by side.

    MODEL_OR_FILE is a network's name or a .tflite file. The float network takes part if its
    weights are known. Stop with Ctrl-C.

    \b
    Examples:
      tinyseg demo attention_unet_ds
      tinyseg demo path/to/model.tflite --port 9000
    """
    from tinyseg.steps import demo as step
    from tinyseg.steps.session import Session

    session = Session.open_file(model_or_file, data, recipe).stating(stated)
    step.demo(session, host, port, lambda address: click.echo(f"{address} (Ctrl-C stops)"))
