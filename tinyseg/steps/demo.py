"""A local web page: drop an image, see what the float and the integer network make of it."""

from __future__ import annotations

import socket
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

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
from tinyseg.runtime.runner import network_outputs
from tinyseg.steps.predict import describe, read_input
from tinyseg.steps.session import Session

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

MAX_BYTES = 64 * 2**20


def segment_by_each(
    path: Path,
    preprocessing: PreprocessingPlan,
    networks: Mapping[str, Runner],
    whites: Mapping[str, float] = NO_WHITES,
    meaning: Meaning | None = None,
) -> dict[str, Any]:
    """Segment one image file by several networks.

    Args:
        path: image file.
        preprocessing: what all the networks take.
        networks: by their titles.
        whites: what was white where they were trained, see
            :func:`tinyseg.data.images.read_image`.
        meaning: of their outputs; None for probabilities of regions.

    Returns:
        ``image``: the image's ``width`` and ``height``; ``doubts``: what is doubtful about the
        file, a line each; ``networks``: of each its ``title``,
        ``overlay`` as a data URI, ``area_pixels`` and ``area_share`` of all regions together,
        ``parts``, and ``milliseconds`` on this machine; ``equal_pixels``: share of the pixels, at
        the networks' resolution, where all agree.

    Raises:
        InputError: the image cannot be read, or has other channels than the networks.
    """
    survey = survey_images([(path, None)], whites)
    image, pixels = read_input(path, preprocessing, survey.whites)
    doubts = [doubt.message for doubt in survey.doubts]
    doubts += pixel_doubts(Sample("image", image=path), image, None)
    results, decisions = [], []
    for title, runner in networks.items():
        start = time.perf_counter()
        outputs = network_outputs(runner, pixels[None])
        elapsed = time.perf_counter() - start
        reading = meaning or plain(outputs.shape)
        decisions.append(reading.masks(outputs, preprocessing)[0])
        masks = reading.masks(outputs, preprocessing, image.shape[:2])[0]
        union = describe(np.asarray(masks.any(-1, keepdims=True)))[0]
        drawn = encode_image(overlay(image, masks), ".jpg")
        results.append(
            {
                "title": title,
                "overlay": data_uri("overlay.jpg", drawn),
                **{key: union[key] for key in ("area_pixels", "area_share", "parts")},
                "milliseconds": round(1000 * elapsed, 1),
            }
        )
    equal = np.all([decision == decisions[0] for decision in decisions], axis=0)
    return {
        "image": {"width": image.shape[1], "height": image.shape[0]},
        "doubts": doubts,
        "networks": results,
        "equal_pixels": float(equal.mean()),
    }


def networks_of(session: Session) -> dict[str, Runner]:
    """Return the runners of an integer file and, if its weights are known, of its float network.

    Raises:
        InputError: the file is damaged or does not make masks.
    """
    if session.task != "segmentation":
        raise InputError(f"{session.path}: makes no masks; use 'tinyseg predict'")
    integer = session.runner(otherwise="tflite")
    if session.network is None:
        return {"integer": integer}
    from tinyseg.runtime.keras import KerasRunner

    return {"float32": KerasRunner(session.network), "integer": integer}


def demo(session: Session, host: str, port: int, started: Callable[[str], None]) -> None:
    """Serve a page that shows float and integer masks of an image side by side.

    Args:
        session: of the integer file.
        host, port, started: see :func:`serve`.

    Raises:
        InputError: as of :func:`networks_of`, :func:`create_app` and :func:`serve`.
    """
    networks = networks_of(session)
    title = f"{session.plan.model.name}, {' and '.join(networks)}"
    app = create_app(
        title, session.preprocessing, networks, session.plan.data.whites, session.reading
    )
    serve(app, host, port, started)


def create_app(
    title: str,
    preprocessing: PreprocessingPlan,
    networks: Mapping[str, Runner],
    whites: Mapping[str, float] = NO_WHITES,
    meaning: Meaning | None = None,
) -> Starlette:
    """Return the page's server.

    ``GET /`` is the page; ``POST /segment?name=FILE`` takes the bytes of an image file and answers
    what :func:`segment_by_each` returns, or status 400, or 413 above ``MAX_BYTES``, and
    ``{"error": one line}``.

    Raises:
        InputError: Starlette is not installed.
    """
    try:
        from starlette.applications import Starlette
        from starlette.concurrency import run_in_threadpool
        from starlette.responses import HTMLResponse, JSONResponse
        from starlette.routing import Route
    except ImportError:
        raise InputError("demo: needs a web server; pip install 'tinyseg[demo]'") from None

    for runner in networks.values():
        # The first run of a Keras network takes seconds.
        network_outputs(runner, np.zeros((1, *preprocessing.input_shape), np.float32))
    page = render("demo.html", title=title, preprocessing=preprocessing)
    one_at_a_time = threading.Lock()  # Interpreters hold one image's tensors.

    def answer(content: bytes, name: str) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="tinyseg-demo-") as folder:
            path = Path(folder, "image")
            path.write_bytes(content)
            try:
                with one_at_a_time:
                    return segment_by_each(path, preprocessing, networks, whites, meaning)
            except InputError as error:
                raise InputError(str(error).replace(str(path), name)) from None

    async def show_page(request: Request) -> Response:
        return HTMLResponse(page)

    async def segment(request: Request) -> Response:
        content = bytearray()
        async for chunk in request.stream():
            content += chunk
            if len(content) > MAX_BYTES:
                message = f"image: larger than {MAX_BYTES // 2**20} MiB; reduce it"
                return JSONResponse({"error": message}, 413)
        name = request.query_params.get("name", "image")
        try:
            return JSONResponse(await run_in_threadpool(answer, bytes(content), name))
        except InputError as error:
            return JSONResponse({"error": str(error)}, 400)

    return Starlette(routes=[Route("/", show_page), Route("/segment", segment, methods=["POST"])])


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
