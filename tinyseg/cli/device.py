"""Verbs that talk to a board at a port."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyseg.cli import terminal
from tinyseg.cli.boards import MODEL
from tinyseg.cli.options import DATA, JSON, OUTPUT, RECIPE, fail_on, stated_options

if TYPE_CHECKING:
    from tinyseg.steps.border import Stated

PORT = click.option(
    "--port", required=True, metavar="PORT", help="/dev/ttyACM0, or socket://HOST:PORT."
)
BAUD = click.option(
    "--baud",
    type=click.IntRange(1),
    help="Speed of a serial port, see 'tinyseg boards'; 115200 if not given.",
)


@click.group()
def device() -> None:
    """Talk to a board that runs tinyseg's firmware."""


@device.command("info")
@PORT
@BAUD
@JSON
def device_info(port: str, baud: int | None, as_json: bool) -> None:
    """Show what a device says of itself."""
    from tinyseg.steps import device as step

    record = step.device_info(port, baud or step.BAUD)
    if as_json:
        terminal.print_json(record)
    else:
        terminal.print_table(["quantity", "value"], [[k, str(v)] for k, v in record.items()])


@device.command("run")
@PORT
@BAUD
@MODEL
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@DATA
@RECIPE
@stated_options
@OUTPUT
@click.option("--timeout", type=float, default=60.0, show_default=True, help="Seconds an image.")
@JSON
def device_run(
    port: str,
    baud: int | None,
    model: str,
    images: tuple[Path, ...],
    data: str | None,
    recipe: str,
    output: Path | None,
    timeout: float,
    as_json: bool,
    stated: Stated,
) -> None:
    """Send image files to a device that runs MODEL; save its masks, compare with the host.

    \b
    Example: tinyseg device run --port /dev/ttyACM0 attention_unet_ds scan.png
    """
    import dataclasses

    from tinyseg.steps import device as step
    from tinyseg.steps.session import Session

    session = Session.open_file(model, data, recipe).stating(stated)
    info, records = step.run_images(
        session, images, port, baud=baud or step.BAUD, folder=output, timeout=timeout
    )
    if as_json:
        rows = [dataclasses.asdict(record) for record in records]
        terminal.print_json({"device": info, "images": rows})
    else:
        terminal.print_table(
            ["image", "ticks", "ms", "foreground", "pixels unlike the host's", "mask"],
            [
                [
                    r.image,
                    f"{r.ticks:,}",
                    f"{r.milliseconds:,.1f}",
                    f"{100 * r.foreground:.1f} %",
                    str(r.differing_pixels),
                    r.mask,
                ]
                for r in records
            ],
            title=f"{info['model']} on {info['board']}",
        )
    fail_on(
        [
            f"{r.image}: {r.differing_pixels} mask pixels differ from the host's"
            for r in records
            if r.differing_pixels
        ]
    )
