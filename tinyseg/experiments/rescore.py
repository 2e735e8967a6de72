"""The scores of published files made again, where the way to score has changed.

The files themselves stay as they are: results, model cards and pictures are written anew, and the
hashes in the plans beside them.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

from tinyseg import files
from tinyseg import plan as plans
from tinyseg.cli import terminal
from tinyseg.presets import RESULTS
from tinyseg.reporting import examples, pictures
from tinyseg.scoring.scores import lesions
from tinyseg.steps.publish import model_card
from tinyseg.steps.quantize import Tested, score_both
from tinyseg.steps.session import Session
from tinyseg.steps.verify import verify
from tinyseg.tflite.packing import unpacked

_MODELS = Path("models")


def rescore(folder: Path) -> dict[str, float]:
    """Score a published network's file again and write what shows its scores.

    Args:
        folder: ``models/NETWORK/DATA``.

    Returns:
        Dice of the file over the images with a lesion and over all, before and now.

    Raises:
        InputError: the images are not there, or are not those that it was published with.
    """
    (path,) = folder.glob("*.tflite")
    session = Session.open_file(str(path))
    tested = score_both(session, session.converted(path), backend="reference")
    results = files.read_json(folder / RESULTS)
    old, new = results["test"]["integer"], tested.scores.integers
    results = _with_scores(results, tested)
    results["verification"]["sqnr"] = list(verify(session, 1).sqnr)
    results["profile"]["operators"] = len(unpacked(session.model).operators)
    plan = plans.read(folder / plans.FILE_NAME)
    (picture,) = [name for name in plan.files if Path(name).suffix in (".jpg", ".png")]
    files.write_bytes(folder / picture, _picture(picture, tested))
    files.write_json(folder / RESULTS, results)
    write_card(folder)
    return {
        "before": lesions(old)["dice"],
        "now": lesions(new)["dice"],
        "before, all images": old["dice"],
        "now, all images": new["dice"],
    }


def write_card(folder: Path) -> None:
    """Write a published network's card anew from its stored results, and the hashes."""
    plan = plans.read(folder / plans.FILE_NAME)
    (picture,) = [name for name in plan.files if Path(name).suffix in (".jpg", ".png")]
    results = files.read_json(folder / RESULTS)
    files.write_text(folder / "README.md", model_card(results, plan, picture))
    hashes = {name: files.sha256(folder / name) for name in plan.files}
    files.write_json(
        folder / plans.FILE_NAME, dataclasses.asdict(dataclasses.replace(plan, files=hashes))
    )


def _with_scores(results: dict[str, Any], tested: Tested) -> dict[str, Any]:
    """Return results with other scores; the oldest ones lack those of each image."""
    scores = {"test": tested.scores.as_dict(), "test_images": tested.each}
    made: dict[str, Any] = {}
    for key, value in results.items():
        made |= scores if key == "test" else {key: scores.get(key, value)}
    return made


def _picture(name: str, tested: Tested) -> bytes:
    if name == "examples.jpg":
        return examples.draw(examples.worst_first(tested.images, tested.floats, tested.integers))
    return pictures.scores(tested.each, "Dice")


@click.command()
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path))
@click.option("--cards", is_flag=True, help="Write the model cards alone, from stored results.")
def main(folders: tuple[Path, ...], cards: bool) -> None:
    """Score the files in FOLDERS again; those of all published networks if none is given."""
    terminal.quiet(False)
    for folder in folders or sorted(path.parent for path in _MODELS.glob(f"*/*/{RESULTS}")):
        if cards:
            write_card(folder)
            continue
        made: dict[str, Any] = rescore(folder)
        click.echo(f"{folder}: " + ", ".join(f"{key} {made[key]:.4f}" for key in made))


if __name__ == "__main__":
    main()
