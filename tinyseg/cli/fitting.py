"""Verbs that make a file smaller in memory: lower, fit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tinyseg import terminal
from tinyseg.cli.options import DATA, JSON, OUTPUT, RECIPE, fail_on
from tinyseg.progress import counter

if TYPE_CHECKING:
    from tinyseg.fit import Budget, Candidate
    from tinyseg.tflite import TfliteModel
    from tinyseg.tflite.lowering import Lowered


@click.command()
@click.argument("file", metavar="FILE.tflite|MODEL")
@DATA
@RECIPE
@click.option(
    "--patches", is_flag=True, help="Cut the network into strips: less memory, more work."
)
@click.option(
    "--max-work",
    type=click.FloatRange(1),
    default=1.6,
    show_default=True,
    help="Multiply-accumulates that strips may take, times those of the file.",
)
@click.option("--without", multiple=True, metavar="PASS", help="Leave out a pass.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write.")
@JSON
def lower(
    file: str,
    data: str | None,
    recipe: str,
    patches: bool,
    max_work: float,
    without: tuple[str, ...],
    output: Path | None,
    as_json: bool,
) -> None:
    """Rewrite a file so that it needs less memory and work, with the same output bytes.

    \b
    Examples:
      tinyseg lower attention_unet_ds -o smaller.tflite
      tinyseg lower path/to/model.tflite --patches --without broadcasts
    """
    from tinyseg import files, presets
    from tinyseg.tflite import TfliteModel
    from tinyseg.tflite.lowering import lower as run

    path = presets.find_tflite(file, data, recipe)
    model = TfliteModel.read(path)
    with counter("searching schedules") as progress:
        lowered = run(model, without=without, patches=patches, max_work=max_work, progress=progress)
    target = output or presets.BUILD / "lowered" / path.name
    files.write_bytes(target, lowered.model.content)
    if as_json:
        terminal.print_json({"file": str(target), "steps": _steps(lowered)})
        return
    _print_steps(lowered, str(path))
    click.echo(target)


@click.command()
@click.argument("model", metavar="FILE.tflite|MODEL")
@click.option("--board", metavar="BOARD", help="Board to fit; see 'tinyseg boards'.")
@click.option("--ram", metavar="BYTES", help="Tensor arena instead of a board's, e.g. 256K.")
@click.option("--flash", metavar="BYTES", help="Bytes of the file instead of a board's, e.g. 1M.")
@click.option("--channels", type=click.Choice(["1", "3"]), help="Channels of a proposed network.")
@click.option("--propose", is_flag=True, help="Propose sizes even if the file fits.")
@click.option("--train", is_flag=True, help="Train and quantize the first proposal.")
@DATA
@RECIPE
@OUTPUT
@JSON
def fit(
    model: str,
    board: str | None,
    ram: str | None,
    flash: str | None,
    channels: str | None,
    propose: bool,
    train: bool,
    data: str | None,
    recipe: str,
    output: Path | None,
    as_json: bool,
) -> None:
    """Make a network fit a board, or tell why it cannot and which sizes would.

    The file is lowered first, then cut into strips. What is still too large needs another base
    width, depth or input size: those that fit are proposed, their cost computed without training.

    \b
    Examples:
      tinyseg fit attention_unet_ds --board nucleo_h743zi
      tinyseg fit path/to/model.tflite --ram 256K --flash 1M
      tinyseg fit attention_unet_ds --board nrf52840_dk --train --data path/to/images
    """
    from tinyseg import files, presets
    from tinyseg.errors import InputError
    from tinyseg.fit import arena_of, fit_file
    from tinyseg.tflite import TfliteModel

    named = model.endswith(".tflite")
    try:
        path: Path | None = presets.find_tflite(model, data, recipe)
    except InputError:
        if named:
            raise
        path = None
    result: dict[str, Any] = {"model": model, "file": None, "fits": False, "proposals": []}
    failures = []
    if path is not None:
        source = TfliteModel.read(path)
        budget = _budget(board, ram, flash, source)
        with counter("searching schedules") as progress:
            lowered, fits = fit_file(source, budget, progress=progress)
        arena = arena_of(lowered.model, budget.target)
        where = board or "the budget"
        result |= {
            "fits": fits,
            "arena_bytes": arena,
            "file_bytes": len(lowered.model.content),
            "steps": _steps(lowered),
        }
        if not as_json:
            _print_steps(lowered, str(path))
        if fits:
            target = (output or presets.BUILD / "fit") / f"{path.stem}_{board or 'fit'}.tflite"
            files.write_bytes(target, lowered.model.content)
            result["file"] = str(target)
        else:
            failures.append(_excess(str(path), where, arena, len(lowered.model.content), budget))
    budget = _budget(board, ram, flash, None)
    result["budget"] = {"arena_bytes": budget.ram, "file_bytes": budget.flash}
    if (propose or train or not result["fits"]) and not named:
        proposals = _proposals(model, data, channels, budget)
        result["proposals"] = [vars(candidate) for candidate in proposals]
        if not as_json:
            _print_proposals(model, proposals)
        if not proposals:
            failures.append(f"{model}: no size of it fits {board or 'the budget'}")
        elif train:
            result["run"] = _train(model, data, channels, proposals[0], output)
            failures = list(result["run"]["failures"])
    if as_json:
        terminal.print_json(result)
    elif result["file"]:
        click.echo(f"fits: {result['file']}")
    fail_on(failures)


def _budget(
    board: str | None, ram: str | None, flash: str | None, model: TfliteModel | None
) -> Budget:
    from tinyseg.boards import load
    from tinyseg.boards.board import bytes_of
    from tinyseg.errors import InputError
    from tinyseg.fit import Budget

    if board is None and (ram is None or flash is None):
        raise InputError("fit: name a --board, or both --ram and --flash")
    budget = Budget.of(load(board), model) if board else Budget(0, 0)
    try:
        return Budget(
            budget.ram if ram is None else bytes_of(ram),
            budget.flash if flash is None else bytes_of(flash),
            budget.target,
        )
    except ValueError as error:
        raise InputError(f"fit: {error}") from None


def _proposals(
    name: str, data: str | None, channels: str | None, budget: Budget
) -> Sequence[Candidate]:
    from tinyseg.fit import DEPTHS, WIDTHS, candidates, front
    from tinyseg.zoo import network

    entry = network(name)
    with counter("costing sizes", len(DEPTHS) * len(WIDTHS)) as progress:
        found = candidates(
            name,
            entry.arguments,
            int(channels or entry.input_shape[2]),
            budget,
            progress=progress,
        )
    return front(found)


def _train(
    name: str, data: str | None, channels: str | None, chosen: Candidate, output: Path | None
) -> dict[str, Any]:
    """Train and quantize a proposal as any network is."""
    from tinyseg import deployment, presets, workflow
    from tinyseg import plan as plans
    from tinyseg.zoo import network

    changes = {
        "model.name": name,
        "data.source": data,
        "preprocessing.channels": int(channels or network(name).input_shape[2]),
        "quantization.lower": "exact",
        **chosen.settings(),
    }
    plan = plans.override(plans.Plan(), changes)
    folder = output or presets.BUILD / "fit" / name
    trained = workflow.train(plan, folder / "float")
    plan, weights = workflow.plan_of(trained["weights"])
    return deployment.quantize(plan, weights, folder / plan.quantization.recipe)


def _excess(path: str, where: str, arena: int, file: int, budget: Budget) -> str:
    needs = []
    if arena > budget.ram:
        needs.append(f"{arena:,} bytes of arena of {budget.ram:,}")
    if file > budget.flash:
        needs.append(f"{file:,} bytes of flash of {budget.flash:,}")
    return f"{path}: does not fit {where}: needs {' and '.join(needs)}; choose a smaller size"


def _steps(lowered: Lowered) -> list[dict[str, Any]]:
    return [step._asdict() for step in lowered.steps]


def _print_steps(lowered: Lowered, title: str) -> None:
    from tinyseg.reporting.numbers import count, size

    terminal.print_table(
        ["pass", "changed", "arena (host)", "MACs", "operators", "file"],
        [
            [
                step.name,
                count(step.changed),
                size(step.arena_bytes),
                count(step.macs),
                count(step.operators),
                size(step.file_bytes),
            ]
            for step in lowered.steps
        ],
        title=title,
    )


def _print_proposals(name: str, proposals: Sequence[Candidate]) -> None:
    from tinyseg.reporting.numbers import count, size

    terminal.print_table(
        ["base width", "depth", "input", "arena", "file", "MACs", "parameters"],
        [
            [
                str(c.base_width),
                str(c.depth),
                f"{c.size}x{c.size}",
                size(c.arena_bytes),
                size(c.file_bytes),
                count(c.macs),
                count(c.parameters),
            ]
            for c in proposals
        ],
        title=f"sizes of {name} that fit, untrained",
    )
