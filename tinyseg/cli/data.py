"""Verbs on images."""

from __future__ import annotations

from pathlib import Path

import click

from tinyseg import terminal
from tinyseg.cli.options import JSON, SET, parse_settings
from tinyseg.errors import GateError


@click.group()
def data() -> None:
    """Check and divide images."""


@data.command("check")
@click.argument("path")
@JSON
def data_check(path: str, as_json: bool) -> None:
    """Count images, sizes and classes at PATH and list every problem; exit code 1 on errors.

    \b
    Example: tinyseg data check ../shared/data/busi/Dataset_BUSI_with_GT
    """
    from tinyseg.data.check import check

    report = check(path)
    if as_json:
        terminal.print_json(report.as_dict())
    else:
        click.echo(report.as_text())
    if not report.ok:
        raise GateError(f"{path}: not usable as it is; see the errors above")


@data.command("split")
@click.argument("path")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Split file.")
@SET
def data_split(path: str, output: Path, settings: tuple[str, ...]) -> None:
    """Divide PATH into training, validation and test, near-duplicates together.

    \b
    Example: tinyseg data split busi -o split.json --set data.split_seed=1
    """
    from tinyseg.plan import Plan, override
    from tinyseg.workflow import open_images

    plan = override(Plan(), {"data.source": path, **parse_settings(settings)})
    split = open_images(plan)[1].split
    split.write(output)
    sizes = f"{len(split.train)} / {len(split.validation)} / {len(split.test)}"
    click.echo(f"{output}: {sizes} images for training / validation / test")
