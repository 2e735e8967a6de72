"""What belongs to the file of a session: plan, recipe, weights, and the file itself, parsed."""

from __future__ import annotations

import functools
import logging
from pathlib import Path

from tinyseg import plan as plans
from tinyseg import presets
from tinyseg.compression.recipe import Recipe, parse
from tinyseg.errors import InputError
from tinyseg.plan import Plan
from tinyseg.steps.ends import Ends
from tinyseg.steps.own_file import weights_of
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.lint import usable

log = logging.getLogger(__name__)


class Filed(Ends):
    """The file of a network; :class:`tinyseg.steps.session.Session` has the rest."""

    _weights: str | Path | None

    @functools.cached_property
    def trained(self) -> Plan | None:
        """The plan that made the file, as it lies beside it; None if there is none.

        Raises:
            InputError: the file differs from the one that the plan describes.
        """
        return None if self.path is None else plans.beside(self.path)

    @functools.cached_property
    def recipe(self) -> Recipe:
        """The parsed quantization recipe of the plan."""
        return parse(self.plan.quantization.recipe)

    @property
    def file(self) -> Path:
        """The file named; an error for a network that is yet to be trained."""
        if self.path is None:
            raise InputError(f"{self.plan.model.name}: has no file yet; train it first")
        return self.path

    @property
    def float_weights(self) -> Path:
        """The file of the float network; an error if it is unknown."""
        if self.weights is None:
            raise InputError(f"{self.path}: give the weights of the float network")
        return self.weights

    @functools.cached_property
    def model(self) -> TfliteModel:
        """The parsed ``.tflite`` file.

        Raises:
            InputError: it is damaged.
        """
        return TfliteModel.read(self.file)

    @functools.cached_property
    def integers(self) -> TfliteModel:
        """The parsed ``.tflite`` file, which has to be one of integers.

        Raises:
            InputError: it is damaged or of a kind that cannot be used.
        """
        usable(self.model)
        return self.model

    @property
    def trained_on(self) -> str:
        """Name of the data that the network was trained with."""
        return presets.slug(self.trained.data.source) if self.trained else "unknown data"

    @functools.cached_property
    def weights(self) -> Path | None:
        """Float weights: the file itself, or those that a ``.tflite`` file was made of."""
        if not self.is_file:
            return self.path
        weights = self._weights or weights_of(self.plan)
        if weights is None:
            log.info(
                "%s: its float weights are unknown; give --weights to compare with them", self.path
            )
        return None if weights is None else Path(weights)
