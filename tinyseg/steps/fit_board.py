"""Make a network fit a board: choose an engine, cut it into strips, or propose a smaller one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tinyseg import files, presets
from tinyseg import plan as plans
from tinyseg.boards.board import bytes_of, load_board
from tinyseg.boards.firmware import OWN, TFLM
from tinyseg.errors import InputError
from tinyseg.plan import Plan
from tinyseg.progress import counter
from tinyseg.runtime import tflm
from tinyseg.steps.budget import Budget, arena_of
from tinyseg.steps.candidates import (
    GRID,
    Candidate,
    Measure,
    candidates,
    front,
    on_own,
    on_tflm,
)
from tinyseg.steps.engine_fit import EngineFit, Space, fit_own
from tinyseg.steps.integer_file import RECIPE, find_integers
from tinyseg.steps.marks import need_passed
from tinyseg.steps.names import is_file, parted
from tinyseg.steps.quantize import quantize
from tinyseg.steps.run import Run
from tinyseg.steps.session import Session
from tinyseg.steps.train import train
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.arena.memory import predict_arena
from tinyseg.tflite.lint import deployable
from tinyseg.tflite.lowering import Lowered, lower
from tinyseg.tflite.ops.registry import FIRMWARE_OPS, op_of
from tinyseg.zoo import network

# Strips have not saved more than this, times the budget.
_HOPELESS = 8


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a user asks a network to fit.

    Attributes:
        board: name of a board.
        ram: bytes of the network's memory instead of the board's, such as ``256K``.
        flash: bytes of the network in flash instead of the board's, such as ``1M``.
        engine: the only one that will do, ``tinyseg`` or ``tflm``; None for either.
    """

    board: str | None = None
    ram: str | None = None
    flash: str | None = None
    engine: str | None = None

    def __str__(self) -> str:
        return self.board or "the budget"

    def budget(self, model: TfliteModel | None = None) -> Budget:
        """Return the budget for a file, or for a network whose file is not there yet.

        Raises:
            InputError: no board and not both sizes, no such board, or a malformed size.
        """
        if self.board is None and (self.ram is None or self.flash is None):
            raise InputError("fit: name a --board, or both --ram and --flash")
        budget = Budget.of(load_board(self.board), model) if self.board else Budget(0, 0)
        try:
            return Budget(
                budget.ram if self.ram is None else bytes_of(self.ram),
                budget.flash if self.flash is None else bytes_of(self.flash),
                budget.target,
            )
        except ValueError as error:
            raise InputError(f"fit: {error}") from None

    def room(self, model: TfliteModel) -> Space:
        """Return what our own engine may take; call :meth:`budget` first, which checks sizes."""
        space = Space.of(load_board(self.board), model) if self.board else Space((0,), 0)
        if self.ram is not None:
            space = dataclasses.replace(space, regions=(bytes_of(self.ram),))
        if self.flash is not None:
            space = dataclasses.replace(space, flash=bytes_of(self.flash))
        return space


@dataclasses.dataclass(frozen=True)
class Fitted:
    """What became of a network that was to fit.

    Attributes:
        name: what the user named.
        budget: for a network whose file is not there yet.
        source: the file that is to fit; None if the network has none.
        engines: how it fits with each engine that was tried.
        lowered: its lowered form, which TFLM takes; None if only our own engine was asked for.
        file: the one that fits, with the first engine that it fits; None if there is none.
        proposals: sizes of the network that fit; None if they were not looked for.
        run: the first of them, trained and quantized; None if that was not asked for.
        failures: why nothing fits.
    """

    name: str
    budget: Budget
    source: TfliteModel | None = None
    engines: tuple[EngineFit, ...] = ()
    lowered: Lowered | None = None
    file: Path | None = None
    proposals: tuple[Candidate, ...] | None = None
    run: Run | None = None
    failures: tuple[str, ...] = ()

    @property
    def engine(self) -> str | None:
        """The engine with which the file fits; None if it fits with none."""
        return next((fit.engine for fit in self.engines if fit.fits), None)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        values: dict[str, Any] = {
            "model": self.name,
            "file": None if self.file is None else str(self.file),
            "fits": self.file is not None,
            "engine": self.engine,
            "engines": [dataclasses.asdict(fit) for fit in self.engines],
            "proposals": [vars(candidate) for candidate in self.proposals or ()],
        }
        if self.lowered is not None:
            values["arena_bytes"] = self.engines[-1].ram_bytes
            values["file_bytes"] = len(self.lowered.model.content)
            values["steps"] = [step._asdict() for step in self.lowered.steps]
        values["budget"] = {"arena_bytes": self.budget.ram, "file_bytes": self.budget.flash}
        return values if self.run is None else {**values, "run": self.run.as_dict()}


def fit_file(
    model: TfliteModel,
    budget: Budget,
    *,
    strips: bool = True,
    progress: Callable[[], None] = lambda: None,
) -> tuple[Lowered, bool]:
    """Lower a file for TFLM; cut it into strips only if it does not fit otherwise.

    Args:
        model: parsed file.
        budget: what it may take.
        strips: whether it may be cut.
        progress: called now and then.

    Returns:
        The lowered file, and whether it fits.

    Raises:
        InputError: the file is damaged or of a kind that cannot be used.
    """
    for patches in (False, True) if strips else (False,):
        lowered = lower(model, patches=patches, progress=progress)
        arena, file = arena_of(lowered.model, budget.target), len(lowered.model.content)
        if budget.holds(arena, file):
            return lowered, True
        if file > budget.flash or arena > _HOPELESS * budget.ram:
            break
    return lowered, False


def fit_board(
    name_or_file: str,
    limits: Limits,
    source: str | None = None,
    recipe: str = RECIPE,
    *,
    then: str = "",
    channels: int | None = None,
    folder: Path | None = None,
) -> Fitted:
    """Make a network fit, or find why it cannot and which sizes of it would.

    Our own engine takes the file as it is, and computes rows again where it does not fit otherwise;
    for TFLM it is lowered, and cut into strips if it fits neither engine otherwise. Of a network in
    the zoo that is still too large, sizes are proposed.

    Args:
        name_or_file: network in the zoo, a Keras model or a ``.tflite`` file.
        limits: what it has to fit.
        source, recipe: of the file, where a network is named.
        then: ``propose`` sizes even if the file fits, or ``train`` and quantize the first one.
        channels: of a proposed network's input; None for the reference ones.
        folder: where the results go; None for ``build/fit``.

    Raises:
        InputError: no such file or network, a damaged file, or unusable limits.
    """
    named = is_file(name_or_file)
    fitted = Fitted(name_or_file, limits.budget())
    try:
        path = find_integers(name_or_file, source, recipe)
    except InputError:
        if named:
            raise
    else:
        where = folder or presets.BUILD / "fit"
        fitted = _fit(fitted, TfliteModel.read(path), limits, where)
    if named or not (then or fitted.file is None):
        return fitted
    measure = on_own(limits.room) if limits.engine == OWN else on_tflm(fitted.budget)
    name, data = parted(name_or_file)
    found = propose(name, measure, channels)
    fitted = dataclasses.replace(fitted, proposals=tuple(found))
    if not found:
        line = f"{name_or_file}: no size of it fits {limits}"
        return dataclasses.replace(fitted, failures=(*fitted.failures, line))
    if then != "train":
        return fitted
    where = folder or presets.BUILD / "fit" / name
    run = _train(name, source or data, channels, found[0], where)
    return dataclasses.replace(fitted, run=run, failures=tuple(run.failures))


def _fit(fitted: Fitted, source: TfliteModel, limits: Limits, folder: Path) -> Fitted:
    """Find an engine with which a file fits; write it if it has to be another one."""
    need_passed(source.path)
    deployable(source)
    fitted, file = dataclasses.replace(fitted, source=source), None
    if limits.engine != TFLM:
        own = fit_own(source, limits.room(source), str(limits))
        file = Path(source.path) if own.fits else None
        fitted = dataclasses.replace(fitted, engines=(own,), file=file)
    if limits.engine != OWN:
        fitted = _fit_tflm(fitted, source, limits, folder)
    if fitted.file is not None:
        return fitted
    return dataclasses.replace(fitted, failures=tuple(fit.why for fit in fitted.engines))


def _fit_tflm(fitted: Fitted, source: TfliteModel, limits: Limits, folder: Path) -> Fitted:
    """Lower a file for TFLM, and write it if it fits nothing else."""
    budget, other = limits.budget(source), fitted.file is not None
    with counter("searching schedules") as progress:
        lowered, fits = fit_file(source, budget, strips=not other, progress=progress)
    content, arena = lowered.model.content, arena_of(lowered.model, budget.target)
    why = "" if fits else _excess(source.path, str(limits), arena, len(content), budget)
    if fits and not any(op.opcode in FIRMWARE_OPS for op in lowered.model.operators):
        try:
            taken = tflm.measured(lowered.model).total  # What it refuses fits nowhere.
        except InputError as error:
            if not other:
                raise
            fits, why = False, str(error)
        else:
            if not all(op_of(op).counted for op in lowered.model.operators):
                arena += taken - predict_arena(lowered.model).total
            if arena > budget.ram:
                fits = False
                why = _excess(source.path, str(limits), arena, len(content), budget)
    work = lowered.steps[-1].macs / max(lowered.steps[0].macs, 1)
    fit = EngineFit(TFLM, fits, arena, len(content), work, why)
    fitted = dataclasses.replace(fitted, engines=(*fitted.engines, fit), lowered=lowered)
    if other or not fits:
        return fitted
    target = folder / f"{Path(source.path).stem}_{limits.board or 'fit'}.tflite"
    return dataclasses.replace(fitted, file=files.write_bytes(target, content))


def _excess(path: str, where: str, arena: int, file: int, budget: Budget) -> str:
    needs = []
    if arena > budget.ram:
        needs.append(f"{arena:,} bytes of arena of {budget.ram:,}")
    if file > budget.flash:
        needs.append(f"{file:,} bytes of flash of {budget.flash:,}")
    return f"{path}: does not fit {where}: needs {' and '.join(needs)}; choose a smaller size"


def propose(name: str, measure: Measure, channels: int | None = None) -> list[Candidate]:
    """Return the sizes of a network that fit, see :func:`front`; nothing is trained.

    Args:
        name: of the network in the zoo.
        measure: what a size takes, see :func:`on_tflm` and :func:`on_own`.
        channels: of its input; None for the reference ones.

    Raises:
        InputError: no such network, or one without sizes.
    """
    entry = network(name)
    with counter("costing sizes", len(GRID.depths) * len(GRID.widths)) as progress:
        channels = channels or entry.input_shape[2]
        found = candidates(name, entry.arguments, channels, measure, progress=progress)
    return front(found)


def _train(
    name: str, source: str | None, channels: int | None, chosen: Candidate, folder: Path
) -> Run:
    """Train and quantize a proposal as any network is."""
    changes = {
        "model.name": name,
        "data.source": source,
        "preprocessing.channels": channels or network(name).input_shape[2],
        "quantization.lower": "exact",
        **chosen.settings(),
    }
    plan = plans.override(Plan(), changes)
    trained = train(plan, folder / "float")
    return quantize(Session.open(trained.weights), folder / plan.quantization.recipe)
