"""From one image to the answer of a request: a mask as PNG, or areas as JSON."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np

from tinyseg import files
from tinyseg.data.images import encode_image
from tinyseg.errors import InputError
from tinyseg.preprocessing import normalise, resize_image
from tinyseg.runtime.views import outputs_at
from tinyseg.serving.bodies import JSON, PNG, Refusal, parse
from tinyseg.serving.reply import Answer, as_json, refused
from tinyseg.steps.predict import describe
from tinyseg.steps.session import Session
from tinyseg.tflite.lint import deployable


class Network:
    """A network in an interpreter that answers requests, one at a time.

    Attributes:
        about: ``model``, ``sha256`` of its file, and whose ``kernels`` run it.

    Args:
        session: of the network or file.
        backend: see :func:`tinyseg.runtime.backends.open_runner`; None for the engine where it
            holds the file, else TensorFlow Lite's optimised kernels.

    Raises:
        InputError: the file is damaged or makes neither masks nor classes.
    """

    def __init__(self, session: Session, backend: str | None = None) -> None:
        if session.is_file:
            deployable(session.model)
        self._preprocessing, self._meaning = session.preprocessing, session.reading
        if self._meaning.task is None:
            raise InputError(f"{session.path}: makes neither masks nor classes; say --head")
        self._classes, self._whites = session.plan.data.classes, session.plan.data.whites
        self._runner = session.runner(backend, otherwise="tflite")
        self._one_at_a_time = threading.Lock()  # Interpreters hold one image's tensors.
        self.about = {
            "model": session.plan.model.name,
            "sha256": files.sha256(session.file),
            "kernels": self._runner.kernels,
        }
        self._outputs(np.zeros((1, *self._preprocessing.input_shape), np.float32))

    def answer(self, content: bytes, kind: str, accept: str = "") -> Answer:
        """Answer the body of a request.

        Args:
            content, kind: see :func:`tinyseg.serving.bodies.parse`.
            accept: what ``Accept`` says; JSON where it leaves that open.

        Returns:
            Status 200 with the mask or the areas; or 4xx with ``{"error": one line}``.
        """
        try:
            wanted = self._wanted(accept)
            image = parse(content, kind, self._whites)
            return self._segmented(image, wanted)
        except Refusal as refusal:
            return refused(refusal.status, str(refusal))
        except InputError as error:
            return refused(400, str(error))

    def _wanted(self, accept: str) -> str:
        offered = [JSON, PNG] if self._meaning.task == "segmentation" else [JSON]
        for wanted in _by_preference(accept):
            for kind in offered:
                if wanted in (kind, f"{kind.partition('/')[0]}/*", "*/*"):
                    return kind
        raise Refusal(406, f"Accept '{accept}' cannot be answered; ask for {' or '.join(offered)}")

    def _segmented(self, image: np.ndarray, wanted: str) -> Answer:
        start = time.perf_counter()
        pixels = normalise(resize_image(image, self._preprocessing), self._preprocessing)
        outputs = self._outputs(pixels[None])
        size = {"height": image.shape[0], "width": image.shape[1]}
        if self._meaning.layout is None:
            facts: dict[str, Any] = self._classified(self._meaning.regions_of(outputs)[0])
        else:
            masks = self._meaning.masks(outputs, self._preprocessing, image.shape[:2])[0]
            if wanted == PNG:
                return Answer(200, PNG, encode_image(as_picture(masks), ".png"))
            facts = {"regions": [_plain(row) for row in describe(masks)]}
        elapsed = round(1000 * (time.perf_counter() - start), 1)
        return as_json(200, {**self.about, "image": size, **facts, "milliseconds": elapsed})

    def _classified(self, found: np.ndarray) -> dict[str, Any]:
        names = self._classes or [f"class {number}" for number in range(len(found))]
        shares = dict(zip(names, (round(float(share), 6) for share in found), strict=True))
        return {"class": names[int(found.argmax())], "probabilities": shares}

    def _outputs(self, inputs: np.ndarray) -> np.ndarray:
        with self._one_at_a_time:
            return outputs_at(self._preprocessing, self._runner, inputs, self._meaning)


def as_picture(masks: np.ndarray) -> np.ndarray:
    """Return masks as one grey picture.

    Args:
        masks: bool ``(height, width, regions)``.

    Returns:
        uint8 ``(height, width)``: 0 and 255 of one region; of several the number of the last one
        that holds the pixel, 0 for none.
    """
    if masks.shape[-1] == 1:
        return 255 * masks[..., 0].astype(np.uint8)
    return (masks * np.arange(1, masks.shape[-1] + 1)).max(-1).astype(np.uint8)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of :func:`tinyseg.steps.predict.describe` without what the image has said."""
    kept = {key: value for key, value in row.items() if key not in ("width", "height")}
    return {key: None if value == "" else value for key, value in kept.items()}


def _by_preference(accept: str) -> list[str]:
    """Return the media types of an ``Accept``, the best first."""
    weighted = []
    for part in (accept or "*/*").split(","):
        kind, *parameters = (word.strip().lower() for word in part.split(";"))
        weight = next((word[2:] for word in parameters if word.startswith("q=")), "1")
        try:
            weighted.append((-float(weight), kind))
        except ValueError:
            weighted.append((-1.0, kind))
    return [kind for weight, kind in sorted(weighted, key=lambda pair: pair[0]) if weight < 0]
