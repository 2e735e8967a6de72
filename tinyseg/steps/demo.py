"""A local web page: drop an image, see what the float and the integer network make of it."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tinyseg import data
from tinyseg.data.dataset import Sample
from tinyseg.data.examination import pixel_doubts
from tinyseg.data.images import NO_WHITES, encode_image
from tinyseg.data.reading import survey_images
from tinyseg.errors import InputError
from tinyseg.plan import PreprocessingPlan
from tinyseg.reporting.overlay import overlay
from tinyseg.reporting.pages import data_uri, render
from tinyseg.runtime import Runner
from tinyseg.runtime.meaning import Meaning, plain
from tinyseg.runtime.views import outputs_at
from tinyseg.steps.marks import need_passed
from tinyseg.steps.predict import describe, read_input
from tinyseg.steps.session import Session
from tinyseg.tflite import TfliteModel

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

MAX_BYTES = 64 * 2**20
SAMPLES = 6
_AT_ONCE = contextlib.nullcontext()


def segment_by_each(
    path: Path,
    preprocessing: PreprocessingPlan,
    networks: Mapping[str, Runner],
    whites: Mapping[str, float] = NO_WHITES,
    meaning: Meaning | None = None,
    turn: contextlib.AbstractContextManager[Any] = _AT_ONCE,
) -> dict[str, Any]:
    """Segment one image file by several networks.

    Args:
        path: image file.
        preprocessing: what all the networks take.
        networks: by their titles.
        whites: what was white where they were trained, see
            :func:`tinyseg.data.images.read_image`.
        meaning: of their outputs; None for probabilities of regions.
        turn: held while a network runs.

    Returns:
        ``image``: the image's ``width`` and ``height``; ``doubts``: what is doubtful about the
        file, a line each; ``networks``: of each its ``title``,
        ``overlay`` and ``mask`` as data URIs, ``area_pixels``, ``area_share`` and ``parts`` of all
        regions together, and ``milliseconds`` on this machine by which ``kernels``;
        ``equal_pixels``: share of the pixels, at the networks' resolution, where all agree;
        ``difference``: data URI of the image with the other pixels; None of one network.

    Raises:
        InputError: the image cannot be read, or has other channels than the networks.
    """
    survey = survey_images([(path, None)], whites)
    image, pixels = read_input(path, preprocessing, survey.whites)
    doubts = [doubt.message for doubt in survey.doubts]
    doubts += pixel_doubts(Sample("image", image=path), image, None)
    results, decisions, unions = [], [], []
    for title, runner in networks.items():
        with turn:
            start = time.perf_counter()
            outputs = outputs_at(preprocessing, runner, pixels[None], meaning)
            elapsed = time.perf_counter() - start
        reading = meaning or plain(outputs.shape)
        decisions.append(reading.masks(outputs, preprocessing)[0])
        masks = reading.masks(outputs, preprocessing, image.shape[:2])[0]
        unions.append(np.asarray(masks.any(-1, keepdims=True)))
        results.append(
            {
                "title": title,
                **_shown(image, masks, unions[-1]),
                "milliseconds": round(1000 * elapsed, 1),
                "kernels": runner.kernels,
            }
        )
    equal = np.all([decision == decisions[0] for decision in decisions], axis=0)
    return {
        "image": {"width": image.shape[1], "height": image.shape[0]},
        "doubts": doubts,
        "networks": results,
        "equal_pixels": float(equal.mean()),
        "difference": _difference_uri(image, unions),
    }


def _shown(image: np.ndarray, masks: np.ndarray, union: np.ndarray) -> dict[str, Any]:
    """Return pictures of masks on their image, and how large they are together."""
    described = describe(union)[0]
    return {
        "overlay": data_uri("overlay.jpg", encode_image(overlay(image, masks), ".jpg")),
        "mask": _mask_uri(union),
        **{key: described[key] for key in ("area_pixels", "area_share", "parts")},
    }


def _mask_uri(mask: np.ndarray) -> str:
    """Return a mask bool ``(height, width, 1)`` as a PNG of 0 and 255."""
    return data_uri("mask.png", encode_image(255 * mask[..., 0].astype(np.uint8), ".png"))


def _difference_uri(image: np.ndarray, masks: list[np.ndarray]) -> str | None:
    """Return an image with the pixels marked in which not all masks agree; None of one mask."""
    if len(masks) < 2:
        return None
    differs = np.any([mask != masks[0] for mask in masks], axis=0)
    return data_uri("difference.jpg", encode_image(overlay(image, differs), ".jpg"))


def networks_of(session: Session) -> dict[str, Runner]:
    """Return the runners of an integer file and, if its weights are known, of its float network.

    Both are files in interpreters of compiled code: a call of Keras takes a hundred times as long,
    whatever the network.

    Raises:
        InputError: the file is damaged or does not make masks.
    """
    if session.task != "segmentation":
        raise InputError(f"{session.path}: makes no masks; use 'tinyseg predict'")
    integer = session.runner(otherwise="tflite")
    if session.network is None:
        return {"integer": integer}
    from tinyseg.compression.quantization import convert_float
    from tinyseg.runtime.tflite import TfliteRunner

    twin = TfliteModel.parse(convert_float(session.network, session.plan), "float network")
    return {"float32": TfliteRunner(twin, reference=False), "integer": integer}


def samples_of(session: Session) -> list[bytes]:
    """Return a few images of the network's data as PNG files; none where the data are not here."""
    try:
        dataset = data.load(session.plan.data.source)
        chosen = dataset.samples[:: max(1, len(dataset.samples) // SAMPLES)][:SAMPLES]
        return [encode_image(dataset.read(sample)[0], ".png") for sample in chosen]
    except InputError:
        return []


def demo(session: Session, host: str, port: int, started: Callable[[str], None]) -> None:
    """Serve a page that shows float and integer masks of an image side by side.

    Args:
        session: of the integer file.
        host, port, started: see :func:`serve`.

    Raises:
        InputError: as of :func:`networks_of`, :func:`create_app` and :func:`serve`.
    """
    need_passed(session.file)
    networks = networks_of(session)
    title = f"{session.plan.model.name}, {' and '.join(networks)}"
    app = create_app(
        title,
        session.preprocessing,
        networks,
        session.plan.data.whites,
        session.reading,
        samples_of(session),
    )
    serve(app, host, port, started)


def create_app(
    title: str,
    preprocessing: PreprocessingPlan,
    networks: Mapping[str, Runner],
    whites: Mapping[str, float] = NO_WHITES,
    meaning: Meaning | None = None,
    samples: Sequence[bytes] = (),
) -> Starlette:
    """Return the page's server.

    ``GET /`` is the page, ``GET /sample/N`` a sample image. ``POST /segment?name=FILE&
    threshold=SHARE`` takes the bytes of an image file and answers what :func:`segment_by_each`
    returns, or status 400, or 413 above ``MAX_BYTES``, and ``{"error": one line}``.

    Raises:
        InputError: Starlette is not installed.
    """
    try:
        from starlette.applications import Starlette
        from starlette.concurrency import run_in_threadpool
        from starlette.responses import HTMLResponse, JSONResponse, Response
        from starlette.routing import Route
    except ImportError:
        raise InputError("demo: needs a web server; pip install 'tinyseg[demo]'") from None

    for runner in networks.values():
        # The first run of a Keras network takes seconds.
        outputs_at(preprocessing, runner, np.zeros((1, *preprocessing.input_shape), np.float32))
    slides = meaning is None or meaning.by_threshold
    ends = {"preprocessing": preprocessing, "samples": len(samples), "slides": slides}
    page = render("demo.html", title=title, **ends)
    answer = _Answers(preprocessing, networks, whites, meaning, threading.Lock()).answer

    async def show_page(request: Request) -> Response:
        return HTMLResponse(page)

    async def show_sample(request: Request) -> Response:
        number = request.path_params["number"]
        if number >= len(samples):
            return Response(status_code=404)
        return Response(samples[number], media_type="image/png")

    async def segment(request: Request) -> Response:
        content = bytearray()
        async for chunk in request.stream():
            content += chunk
            if len(content) > MAX_BYTES:
                message = f"image: larger than {MAX_BYTES // 2**20} MiB; reduce it"
                return JSONResponse({"error": message}, 413)
        name = request.query_params.get("name", "image")
        threshold = request.query_params.get("threshold", "")
        try:
            return JSONResponse(await run_in_threadpool(answer, bytes(content), name, threshold))
        except InputError as error:
            return JSONResponse({"error": str(error)}, 400)

    routes = [Route("/", show_page), Route("/segment", segment, methods=["POST"])]
    if samples:
        routes.append(Route("/sample/{number:int}", show_sample))
    return Starlette(routes=routes)


class _Answers(NamedTuple):
    """What images are answered by.

    Attributes:
        preprocessing, networks, whites, meaning: see :func:`segment_by_each`.
        turn: one image's at a time, for interpreters hold its tensors.
    """

    preprocessing: PreprocessingPlan
    networks: Mapping[str, Runner]
    whites: Mapping[str, float]
    meaning: Meaning | None
    turn: contextlib.AbstractContextManager[Any]

    def answer(self, content: bytes, name: str, threshold: str) -> dict[str, Any]:
        """Return what :func:`segment_by_each` makes of the bytes of a file."""
        share = _share(threshold, self.preprocessing)
        chosen = dataclasses.replace(self.preprocessing, threshold=share)
        with tempfile.TemporaryDirectory(prefix="tinyseg-demo-") as folder:
            path = Path(folder, "image")
            path.write_bytes(content)
            try:
                return segment_by_each(
                    path, chosen, self.networks, self.whites, self.meaning, self.turn
                )
            except InputError as error:
                raise InputError(str(error).replace(str(path), name)) from None


def _share(text: str, preprocessing: PreprocessingPlan) -> float:
    """Return the threshold that a page asks for, the network's own if it asks for none.

    Raises:
        InputError: it is no share.
    """
    if not text:
        return preprocessing.threshold
    with contextlib.suppress(ValueError):
        if 0 <= float(text) <= 1:
            return float(text)
    raise InputError(f"threshold: '{text}' is not between 0 and 1")


def serve(app: Starlette, host: str, port: int, started: Callable[[str], None]) -> None:
    """Serve an app until it is interrupted.

    Args:
        app: from :func:`create_app`.
        host: address to listen on.
        port: TCP port; 0 takes a free one.
        started: called with the page's address once connections are accepted.

    Raises:
        InputError: the port is taken, or there is no such address here.
    """
    import uvicorn

    try:
        listener = socket.create_server((host, port))
    except OSError as error:
        raise InputError(f"{host}:{port}: {error.strerror}; choose another --port") from None
    with listener:
        started(f"http://{host}:{listener.getsockname()[1]}/")
        config = uvicorn.Config(app, log_level="error", access_log=False)
        uvicorn.Server(config).run([listener])
