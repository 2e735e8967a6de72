"""What goes into the network of a session and what comes out: the part of every verb on images."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from tinyseg import zoo
from tinyseg.errors import InputError
from tinyseg.plan import Plan, PreprocessingPlan
from tinyseg.runtime.meaning import Head, Meaning
from tinyseg.steps.border import Stated, settle_input, settle_output, takes_image

log = logging.getLogger(__name__)

S = TypeVar("S", bound="Ends")


class Ends:
    """Input and output of a network or file; :class:`tinyseg.steps.session.Session` has the rest.

    Attributes:
        stated: what the user says of them, before what is stored or found.
    """

    plan: Plan
    path: Path | None
    stated: Stated
    model: Any
    integers: Any
    network: Any
    trained: Any
    own: bool

    @property
    def is_file(self) -> bool:
        """Whether this is a ``.tflite`` file, not a Keras network."""
        return self.path is not None and self.path.suffix == ".tflite"

    @property
    def _of_zoo(self) -> bool:
        named = self.trained is not None or not self.is_file
        return named and not self.own and self.plan.model.name in zoo.names()

    def stating(self: S, stated: Stated) -> S:
        """Return this session, with what the user says."""
        self.stated = stated
        return self

    @functools.cached_property
    def preprocessing(self) -> PreprocessingPlan:
        """From an image to the network's input.

        Raises:
            InputError: the input is no image, or what becomes of pixels is not known or
                contradicts the file.
        """
        planned = self.plan.preprocessing
        if not self.is_file:
            return self.stated.over(planned)
        return settle_input(self.model, planned, self.is_stored, self.stated)

    @functools.cached_property
    def meaning(self) -> Meaning:
        """What the output of a network or file means.

        Raises:
            InputError: it is not known, or is not what the user says.
        """
        if self.is_file:
            return settle_output(self.integers, self.is_stored, self.stated)
        from tinyseg.runtime.keras import keras_meaning

        return keras_meaning(self.network, None if self._of_zoo else self.stated.head)

    def meaning_or_none(self, note: Callable[[str], None] = log.warning) -> Meaning:
        """Return the meaning of an output for what does not need it; what is not known is noted.

        Raises:
            InputError: the user said something of the output that does not hold.
        """
        try:
            return self.meaning
        except InputError as error:
            if self.stated != Stated():
                raise
            note(str(error))
            return Meaning(Head.NONE)

    @property
    def takes_image(self) -> bool:
        """Whether the one input of a ``.tflite`` file is an image."""
        return takes_image(self.model)

    @property
    def reading(self) -> Meaning:
        """The meaning of an output of masks or classes.

        Raises:
            InputError: the output is neither, or is not known.
        """
        if self.meaning.task is None:
            raise InputError(f"{self.path}: its output is neither masks nor classes; say --head")
        return self.meaning

    @property
    def task(self) -> str:
        """``segmentation`` or ``classification``: as the zoo says, else by the output.

        Raises:
            InputError: the output is neither masks nor classes, or is not known.
        """
        if self._of_zoo:
            return zoo.network(self.plan.model.name).task
        if self.own or not self.is_file:
            shape = self.model.outputs[0].shape if self.is_file else self.network.output_shape
            return "segmentation" if len(shape) == 4 else "classification"
        task = self.reading.task
        assert task is not None  # Of a reading it is known.
        return task

    @property
    def is_stored(self) -> bool:
        """Whether a plan came with a ``.tflite`` file, beside it or in it."""
        return self.trained is not None or "preprocessing" in self.model.plan
