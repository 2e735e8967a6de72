"""Verbs on images."""

from __future__ import annotations

from pathlib import Path

import click

from tinyseg.cli import terminal
from tinyseg.cli.options import FOLDER, JSON, LABELS, PLACE, SEED, SET, parse_settings, with_labels
from tinyseg.errors import GateError


@click.group()
def data() -> None:
    """Check, describe, divide and stage images."""


@data.command("get")
@click.argument("name", required=False)
@click.option(
    "-o",
    "--output",
    type=FOLDER,
    help="Folder of data sets, instead of $TINYSEG_DATA.",
)
def data_get(name: str | None, output: Path | None) -> None:
    """Fetch the data set NAME, or say where it is; without NAME, list them with their terms.

    What broke off goes on where it did; images are counted. Some sets lie on Kaggle (a token, and
    pip install 'tinyseg[kaggle]'), some are for registered users: the page to visit is named then.

    \b
    Examples:
      tinyseg data get
      tinyseg data get dsb2018 -o path/to/data
    """
    from tinyseg.data import catalogue

    if name is None:
        terminal.print_table(
            ["name", "images", "comes by", "terms", "page"],
            [
                [s.name, f"{s.images:,}" if s.images else "-", s.way, s.terms, s.page]
                for s in catalogue.SOURCES.values()
            ],
        )
        return
    source = catalogue.source_of(name)
    click.echo(f"{source.title}; {source.terms}; cite {source.citation}", err=True)
    folder, count = catalogue.get(source, output)
    click.echo(
        f"{folder}: {count:,} images; --data {name} reads them with TINYSEG_DATA={folder.parent}"
    )


@data.command("check")
@click.argument("path", callback=with_labels)
@LABELS
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
@click.argument("path", callback=with_labels)
@LABELS
@click.option("-o", "--output", required=True, type=FOLDER, help="Split file.")
@SET
def data_split(path: str, output: Path, settings: tuple[str, ...]) -> None:
    """Divide PATH into training, validation and test, near-duplicates together.

    \b
    Example: tinyseg data split busi -o split.json --set data.split_seed=1
    """
    from tinyseg.steps.images import write_split

    split = write_split(path, output, parse_settings(settings))
    sizes = f"{len(split.train)} / {len(split.validation)} / {len(split.test)}"
    click.echo(f"{output}: {sizes} images for training / validation / test")


@data.command("report")
@click.argument("source", callback=with_labels)
@LABELS
@click.option("-o", "--output", required=True, type=FOLDER, help="Folder for the report.")
@JSON
def data_report(source: str, output: Path, as_json: bool) -> None:
    """Describe the images at SOURCE: counts, balance, samples, intensities, problems.

    SOURCE is a name, folder, archive or URL. Writes report.html, report.md and report.json; exit
    code 1 if the images are not usable.

    \b
    Examples:
      tinyseg data report busi -o build/busi
      tinyseg data report https://host/images.zip:sha256=... -o build/images
    """
    from tinyseg.data.summary import summarise_dataset
    from tinyseg.reporting.data_report import write

    facts, examples = summarise_dataset(source)
    written = write(facts, examples, output)
    if as_json:
        terminal.print_json(facts)
    else:
        click.echo(f"report: {written[0]}")
    if not facts["ok"]:
        raise GateError(f"{source}: not usable as it is; see the errors in {written[0]}")


@data.command("stage")
@click.argument("source", callback=with_labels)
@LABELS
@click.argument("folder", type=PLACE)
@click.option("--balance", is_flag=True, help="Add augmented copies of rare labels to training.")
@SEED
@SET
@JSON
def data_stage(
    source: str,
    folder: Path | str,
    balance: bool,
    seed: int | None,
    settings: tuple[str, ...],
    as_json: bool,
) -> None:
    """Divide SOURCE and write it to FOLDER as PNG files, for tools that expect folders.

    With two labels or more: train/LABEL/, validation/LABEL/, test/LABEL/. With masks:
    train_images/train/ and train_masks/train/, likewise val and test. Near-duplicates and the
    images of one patient are kept in one part. FOLDER may be a URL, such as s3://bucket/Data.

    \b
    Examples:
      tinyseg data stage busi build/Data --balance
      tinyseg data stage s3://bucket/raw.zip s3://bucket/Data
    """
    from tinyseg.steps.images import stage_images

    changes = {"seed": seed, **parse_settings(settings)}
    staged = stage_images(source, folder, changes, balance=balance)
    if as_json:
        terminal.print_json(staged)
        return
    numbers = " / ".join(str(sum(counts.values())) for counts in staged["images"].values())
    click.echo(
        f"{folder}: {numbers} images for training / validation / test, {', '.join(staged['tasks'])}"
    )
