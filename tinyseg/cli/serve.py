"""The verb that serves a network to programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tinyseg.cli.options import BACKENDS, DATA, RECIPE, stated_options
from tinyseg.errors import InputError

if TYPE_CHECKING:
    from tinyseg.steps.border import Stated


def _range(context: click.Context, parameter: click.Parameter, text: str) -> tuple[int, int]:
    least, _, most = text.partition(":")
    try:
        found = int(least), int(most or least)
    except ValueError:
        found = 0, 0
    if not 1 <= found[0] <= found[1]:
        raise InputError(f"--replicas {text}: give MIN:MAX, such as 1:4, with 1 at least")
    return found


@click.command()
@click.argument("model_or_file")
@DATA
@RECIPE
@stated_options
@click.option("--backend", type=BACKENDS, help="As of 'tinyseg predict'.")
@click.option(
    "--replicas",
    default="1",
    show_default=True,
    metavar="MIN:MAX",
    callback=_range,
    help="Processes that compute; more come while requests wait, and go when they do not.",
)
@click.option(
    "--up-after", type=click.FloatRange(0.1), default=10.0, show_default=True,
    help="Seconds of load before a replica comes.",
)  # fmt: skip
@click.option(
    "--down-after", type=click.FloatRange(0.1), default=60.0, show_default=True,
    help="Seconds of calm before a replica goes.",
)  # fmt: skip
@click.option(
    "--queue", type=click.IntRange(0), default=8, show_default=True,
    help="Requests that wait for a replica; more are answered 503.",
)  # fmt: skip
@click.option(
    "--max-mib", type=click.FloatRange(0.001, 64), default=16.0, show_default=True,
    help="MiB that the body of a request may have; more is answered 413.",
)  # fmt: skip
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8080, show_default=True,
    help="Port; 0 takes a free one.",
)  # fmt: skip
def serve(
    model_or_file: str,
    data: str | None,
    recipe: str,
    backend: str | None,
    replicas: tuple[int, int],
    up_after: float,
    down_after: float,
    queue: int,
    max_mib: float,
    host: str,
    port: int,
    stated: Stated,
) -> None:
    """Answer images with masks over HTTP, with as many replicas as the load asks for.

    POST /invocations takes a PNG, JPEG or TIFF file, application/json or application/x-npy and
    answers areas as JSON, or the mask with 'Accept: image/png'. GET /ping says whether it is up,
    GET /metrics counts. Needs the extra tinyseg[cluster]. Stop with Ctrl-C or SIGTERM.

    \b
    Examples:
      tinyseg serve attention_unet_ds --replicas 1:4
      tinyseg serve path/to/model.tflite --host 0.0.0.0 --port 9000
    """
    from tinyseg.serving.server import Scale, Served, serve_network

    served = Served(model_or_file, data, recipe, stated, backend)
    scale = Scale(*replicas, up_after, down_after, queue, round(max_mib * 2**20))
    serve_network(served, scale, host, port, lambda line: click.echo(f"{line} (Ctrl-C stops)"))
