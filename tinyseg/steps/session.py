"""One network or file, resolved once: every verb works on a session.

Of a name or path a session finds file, plan and preprocessing; images, parsed file and Keras
network are opened when they are first asked for, and kept.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tinyseg import plan as plans
from tinyseg import presets
from tinyseg.compression.recipe import parse
from tinyseg.data import need_source
from tinyseg.errors import InputError
from tinyseg.keras_files.description import is_model, looks_like_model
from tinyseg.plan import Plan
from tinyseg.steps.border import Stated
from tinyseg.steps.filed import Filed
from tinyseg.steps.images import Images, open_images
from tinyseg.steps.integer_file import RECIPE, find_integers
from tinyseg.steps.names import find_weights, parted
from tinyseg.steps.networks import default_plan, equalized, load_trained, plan_in_file
from tinyseg.steps.origin import announce
from tinyseg.steps.own_file import load_own, plan_of_file

if TYPE_CHECKING:
    from tinyseg.data import Dataset
    from tinyseg.runtime import Runner

log = logging.getLogger(__name__)


class Session(Filed):
    """A network, or a file of one, with all that belongs to it.

    Attributes:
        plan: what was asked for; once images are open, with their fingerprint and classes.
        path: weights or ``.tflite`` file; None for a network that is yet to be trained.
        dataset: images to use instead of loading those that the plan names; None to load them.
        stated: what the user says of input and output, before what is stored or found.
        own: whether the network is one of the user's, not the zoo's with weights of a file.
        unsafe: whether code in a Keras file of the user's may run.

    Args:
        plan: see above.
        path: likewise.
        split_file: division of the images; None for the one that the network was trained with.
        weights: of the float network that a ``.tflite`` file was made of; None to look for those
            that the plan names.
        parent: the trained network that this one is made from. If it learned from the same
            images, they are divided in the same way.
    """

    def __init__(
        self,
        plan: Plan,
        path: str | Path | None = None,
        *,
        split_file: str | Path | None = None,
        weights: str | Path | None = None,
        parent: Session | None = None,
    ) -> None:
        self.plan = plan
        self.path = None if path is None else Path(path)
        self.dataset: Dataset | None = None
        self.own = self.unsafe = False
        self.stated = Stated()
        self._split_file, self._weights, self._parent = split_file, weights, parent

    @staticmethod
    def open(
        name_or_file: str | Path,
        source: str | None = None,
        *,
        fallback: Plan | None = None,
        changes: Mapping[str, Any] | None = None,
        split_file: str | Path | None = None,
        weights: str | Path | None = None,
        unsafe: bool = False,
    ) -> Session:
        """Open a network by its name, its weights, a Keras model, or a ``.tflite`` file.

        Args:
            name_or_file: what the user named, see :func:`tinyseg.steps.names.find_weights`.
            source: data source, which may have weights of its own; None for what the plan names.
            fallback: plan for weights that have none beside them.
            changes: values of the plan by dotted name, see :func:`tinyseg.plan.override`.
            split_file: see the class.
            weights, unsafe: likewise.

        Raises:
            InputError: no such file, network or value, or the file differs from its plan.
        """
        path = find_weights(str(name_or_file), source)
        session = Session(fallback or Plan(), path, split_file=split_file, weights=weights)
        session.unsafe = unsafe
        return session._resolved(source, fallback, changes or {})

    @staticmethod
    def open_file(
        name_or_file: str | Path,
        source: str | None = None,
        recipe: str = RECIPE,
        weights: str | Path | None = None,
        unsafe: bool = False,
    ) -> Session:
        """Open a network's integer file by the network's name or Keras file, or any ``.tflite``.

        Args:
            name_or_file: what the user named.
            source: data that the network was trained with; None for the newest or shipped ones.
            recipe: of the file, where a network is named.
            weights, unsafe: see the class.

        Raises:
            InputError: no such file or network, or the file differs from its plan.
        """
        path = find_integers(str(name_or_file), source, recipe, unsafe)
        session = Session(Plan(), path, weights=weights)
        session.unsafe = unsafe
        return session._resolved(source)

    @staticmethod
    def to_quantize(
        name: str,
        source: str | None = None,
        changes: Mapping[str, Any] | None = None,
        *,
        weights: str | Path | None = None,
        split_file: str | Path | None = None,
        unsafe: bool = False,
    ) -> Session:
        """Open a network's weights and settle how they are to be quantized.

        Args:
            name: of the network in the zoo, with its data or without, or a Keras model.
            source: data source, which may have weights of its own.
            changes: values of the plan by dotted name, see :func:`tinyseg.plan.override`.
            weights: weights file; None for the newest of the network.
            split_file, unsafe: see the class.

        Raises:
            InputError: no such network, weights, recipe or setting.
        """
        if recipe := (changes := changes or {}).get("quantization.recipe"):
            parse(recipe)
        need_source(source or "phantom")
        given: dict[str, Any] = {"split_file": split_file, "unsafe": unsafe}
        if looks_like_model(name):
            return Session.open(name, source, changes=changes, weights=weights, **given)
        network, _ = parted(name)
        fallback, changes = default_plan(network), {"model.name": network, **changes}
        weights = weights or find_weights(name, source)
        session = Session(fallback, weights, split_file=split_file)
        return session._resolved(source, fallback, changes)

    def converted(self, path: Path) -> Session:
        """Return the session of the integer file that this network became; they share the rest."""
        made = Session(self.plan, path, weights=self.weights)
        for name in ("own", "unsafe", "images", "network", "float_network"):
            setattr(made, name, getattr(self, name))
        return made

    def copied(self, path: Path) -> Session:
        """Return the session of another file that computes the same, with what is open by now."""
        other = copy.copy(self)
        other.path = path
        for name in ("trained", "model", "integers"):
            other.__dict__.pop(name, None)
        return other

    def with_images(self, source: str, dataset: Dataset | None = None) -> Session:
        """Return the session of the same network or file with other images, see the class."""
        other = copy.copy(self)
        other.__dict__.pop("images", None)
        other.plan, other.dataset = plans.override(self.plan, {"data.source": source}), dataset
        return other

    def named(self, path: str | Path) -> Session:
        """Return this session if it is that of a file, else open that one, see :meth:`open`."""
        return self if self.path == Path(path) else Session.open(path)

    @functools.cached_property
    def images(self) -> Images:
        """The images of the plan at the network's size, divided.

        Raises:
            InputError: unusable data or split file, or data for another task.
        """
        origin, plan = self, self.plan
        if self._parent is not None:
            origin = self._parent
            same = dataclasses.replace(plan.data, fingerprint=origin.plan.data.fingerprint)
            plan = dataclasses.replace(plan, data=same)
        home = None if origin.path is None else origin.path.parent
        self.plan, images = open_images(plan, self._split_file, home, self.dataset, self.task)
        return images

    @property
    def same_data(self) -> bool:
        """Whether the images are those that the network was trained with."""
        found = self.images.store.fingerprint
        return self.trained is not None and self.trained.data.fingerprint == found

    @functools.cached_property
    def network(self) -> Any:
        """The float network with its trained weights; None if they are unknown.

        Raises:
            InputError: the weights are damaged or of another network.
        """
        if self.weights is None:
            return None
        if self.plan.model.file or (self.is_file and not self.trained and is_model(self.weights)):
            return load_own(self.plan, self.weights, self.unsafe)
        return load_trained(self.plan, self.weights)

    @functools.cached_property
    def float_network(self) -> Any:
        """The float network that is quantized: equalized first if the plan asks for it."""
        return None if self.network is None else equalized(self.network, self.plan, self.images)

    def runner(
        self,
        backend: str | None = None,
        progress: Callable[[], None] = lambda: None,
        otherwise: str = "reference",
    ) -> Runner:
        """Load the Keras network, or the ``.tflite`` file into an interpreter.

        Args:
            backend, progress, otherwise: see :func:`tinyseg.runtime.backends.open_runner`.

        Raises:
            InputError: the file is damaged or of another network.
        """
        if not self.is_file:
            from tinyseg.runtime.keras import KerasRunner

            return KerasRunner(self.network)
        from tinyseg.runtime.backends import open_runner

        output = self.meaning_or_none(log.debug).output
        return open_runner(self.integers, backend, progress, output, otherwise)

    def run_folder(self, step: str | None = None) -> Path:
        """Return where results go unless the user says otherwise.

        Args:
            step: ``float`` for training; None for the quantized network.
        """
        settings = self.plan.quantization
        packed = f"_packed{settings.weight_bits}" if settings.weight_bits < 8 else ""
        return presets.run_folder(self.plan, step or settings.recipe + packed)

    def _resolved(
        self,
        source: str | None,
        fallback: Plan | None = None,
        changes: Mapping[str, Any] = MappingProxyType({}),
    ) -> Session:
        """Return this session with the plan of its file, or one made from it."""
        if not self.file.exists():
            raise InputError(f"{self.path}: no such file")
        plan = self.trained or fallback
        if plan is None and self.is_file:
            plan = plan_in_file(self.integers)
        elif plan is None:
            plan = plan_of_file(self.file, changes, self.unsafe)
        self.plan = plans.override(plan, {"data.source": source, **changes})
        self.own = bool(self.plan.model.file)
        announce(self, source)
        return self
