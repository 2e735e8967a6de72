"""What ``make experiment NAME=…`` runs: long comparisons whose figures the documentation shows."""

from pathlib import Path

import click

OUTPUT = click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("docs/experiments"),
    show_default=True,
    help="Folder for the results.",
)
FRESH = click.option("--fresh", is_flag=True, help="Train everything again.")
