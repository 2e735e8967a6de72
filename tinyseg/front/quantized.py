"""A network of integers, with what can be asked of it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyseg import files, presets
from tinyseg import plan as plans
from tinyseg.plan import Plan
from tinyseg.steps import own
from tinyseg.steps.images import SPLIT
from tinyseg.steps.own import Pictures
from tinyseg.steps.session import Session

if TYPE_CHECKING:
    import numpy as np

    from tinyseg.steps.memory import ArenaFacts
    from tinyseg.verification.verify import Verification


class Quantized:
    """A network of integers, from :func:`quantize` or :func:`load`.

    Example:
        >>> quantized
        <Quantized attention_unet_ds.tflite, ... bytes, static_wi8_ai8>
    """

    def __init__(
        self, session: Session, kept: tempfile.TemporaryDirectory[str] | None = None
    ) -> None:
        """Wrap the session of a ``.tflite`` file.

        Args:
            session: of the file.
            kept: temporary folder that the file lies in; None if it lies elsewhere.
        """
        self._session, self._kept = session, kept

    def __repr__(self) -> str:
        return f"<Quantized {self.path.name}, {len(self.content):,} bytes, {self.recipe}>"

    @property
    def path(self) -> Path:
        """The file; in a temporary folder unless :func:`quantize` was given one.

        Example:
            >>> quantized.path.name
            'attention_unet_ds.tflite'
        """
        return self._session.file

    @property
    def content(self) -> bytes:
        """The bytes of the file.

        Example:
            >>> quantized.content[4:8]
            b'TFL3'
        """
        return self._session.model.content

    @property
    def plan(self) -> Plan:
        """What the file was made from and how.

        Example:
            >>> quantized.plan.quantization.calibration_images
            32
        """
        return self._session.plan

    @property
    def recipe(self) -> str:
        """The quantization recipe.

        Example:
            >>> quantized.recipe
            'static_wi8_ai8'
        """
        return self.plan.quantization.recipe

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write the file, its plan and division of the images, and weights that lie beside it.

        Example:
            >>> print(quantized.save("saved"))
            saved/attention_unet_ds.tflite

        Args:
            folder: where they go.

        Returns:
            The ``.tflite`` file, which the command line and :func:`load` take.
        """
        target = Path(folder)
        written = [files.write_bytes(target / self.path.name, self.content)]
        for name in (presets.WEIGHTS, SPLIT):
            if (self.path.parent / name).is_file():
                content = (self.path.parent / name).read_bytes()
                written.append(files.write_bytes(target / name, content))
        plans.write(self.plan, target, *written)
        return written[0]

    def verify(
        self,
        images: Pictures | None = None,
        *,
        count: int | None = None,
        max_drop: float | None = None,
        board: str | None = None,
    ) -> Verification:
        """Hold the file against TensorFlow Lite's reference, its float network, and a board.

        Example:
            >>> verdict = quantized.verify(count=2, max_drop=1)
            >>> verdict.bit_exact, verdict.differing_bytes
            (True, 0)

        Args:
            images: as of :func:`quantize`; None for those of the plan.
            count: images of the test part that run on the slow reference interpreters; None for as
                many as they manage in a fixed time, two at least.
            max_drop: the most by which mean Dice, or accuracy, may fall; None for 0.01.
            board: emulated board that runs them too.

        Returns:
            The verdict. A file that misses a gate is no error: see ``ok`` and ``failures``.

        Raises:
            InputError: a damaged file, unusable images, or a board that cannot run it.
        """
        from tinyseg.steps.verify import verify

        return verify(self._with(images), count, max_drop, board)

    def evaluate(
        self, images: Pictures | None = None, *, part: str = "test", backend: str | None = None
    ) -> dict[str, Any]:
        """Score the file on a part of its images.

        Example:
            >>> scores = quantized.evaluate()
            >>> 0 <= scores["dice"] <= 1
            True

        Args:
            images: as of :func:`quantize`; None for those of the plan.
            part: ``train``, ``validation``, ``test`` or ``all``.
            backend: ``engine``, ``reference`` kernels or ``tflm``, whose bytes boards give, or
                ``tflite`` for TensorFlow Lite's optimised kernels, which differ here and there;
                None for the engine where it holds the file, else the reference kernels.

        Returns:
            Dice, IoU and more, or accuracy and more, see :func:`tinyseg.steps.evaluate.score`.

        Raises:
            InputError: unusable images, or a part without any.
        """
        from tinyseg.steps.evaluate import evaluate

        return evaluate(self._with(images), part, backend)

    def predict(
        self,
        images: np.ndarray | str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        backend: str | None = None,
    ) -> np.ndarray:
        """Run the file on images.

        Example:
            >>> import numpy as np
            >>> quantized.predict(np.zeros((2, 100, 80), np.uint8)).shape
            (2, 32, 32, 1)

        Args:
            images: NumPy array ``(n, height, width)`` or ``(n, height, width, channels)`` of any
                size, uint8 or floats in [0, 1]; or image files and folders of them.
            backend: as of :meth:`evaluate`, but ``tflite`` where the engine does not hold the file.

        Returns:
            Probabilities, float32 ``(n, height, width, regions)`` at the network's size, or
            ``(n, classes)``.

        Raises:
            InputError: no such file, or images of another kind or with other channels.
        """
        from tinyseg.steps.predict import probabilities

        return probabilities(self._session, images, backend)

    def memory(
        self,
        *,
        target: str = "host",
        board: str | None = None,
        measure: bool = False,
        passes: bool = False,
        folder: str | os.PathLike[str] | None = None,
    ) -> ArenaFacts:
        """Predict which tensors fill the tensor arena of TensorFlow Lite Micro, and draw them.

        Example:
            >>> arena = quantized.memory(measure=True, folder="memory")
            >>> arena.facts["total_bytes"] == arena.facts["measured"]["total_bytes"]
            True

        Args:
            target: build of TensorFlow Lite Micro: ``host``, ``cortex_m`` or ``cortex_m55``.
            board: predict for this one instead.
            measure: run the file too, here or in the board's firmware.
            passes: show what each pass of :meth:`lower` would save.
            folder: where page and pictures go; None for ``build/memory``.

        Returns:
            Figures in bytes as ``facts``, and the files written as ``files``.

        Raises:
            InputError: the file cannot be used, or no such board.
        """
        from tinyseg.steps.memory import memory

        return memory(
            self._session.model,
            target=target,
            board=board,
            measure=measure,
            passes=passes,
            folder=_path(folder),
        )

    def lower(
        self,
        *,
        patches: bool = False,
        max_work: float = 1.6,
        without: Sequence[str] = (),
        folder: str | os.PathLike[str] | None = None,
    ) -> Quantized:
        """Rewrite the file so that it needs less memory and work, with the same output bytes.

        Example:
            >>> small = quantized.lower()
            >>> image = np.full((1, 32, 32), 90, np.uint8)
            >>> bool((small.predict(image) == quantized.predict(image)).all())
            True

        Args:
            patches: cut the network into strips too: less memory, more work.
            max_work: multiply-accumulates that strips may take, times those of the file.
            without: names of passes to leave out.
            folder: where the file goes; None for a temporary one.

        Returns:
            The lowered file.

        Raises:
            InputError: the file cannot be lowered, or no such pass.
        """
        from tinyseg.steps.lower import lower

        home, kept = home_for(folder)
        _, path = lower(
            self._session.model,
            home / self.path.name,
            without=without,
            patches=patches,
            max_work=max_work,
        )
        made = Quantized(self._session.copied(path), kept)
        if (self.path.parent / SPLIT).is_file():
            files.write_bytes(home / SPLIT, (self.path.parent / SPLIT).read_bytes())
        return made

    def profile(
        self, accelerator: str | None = None, folder: str | os.PathLike[str] | None = None
    ) -> dict[str, Any]:
        """Profile the file with Silicon Labs MLTK, which ``make mltk`` installs.

        Example:
            >>> record = quantized.profile(folder="profile")
            >>> record["unsupported_layers"]
            0

        Args:
            accelerator: ``MVP`` for Silicon Labs' matrix processor.
            folder: where text report, JSON and CSV go; None for ``build/profile``.

        Returns:
            MLTK's figures: bytes of flash and RAM, operations, lower bounds of cycles by core.

        Raises:
            InputError: MLTK is missing.
        """
        from tinyseg.steps.profile import profile

        return profile(self._session.model, accelerator, _path(folder))[0]

    def export_c(
        self,
        folder: str | os.PathLike[str] | None = None,
        *,
        board: str | None = None,
        arena: int | None = None,
    ) -> list[Path]:
        """Write the file as C++ source: model, arena size, input table, operators.

        Example:
            >>> sources = quantized.export_c("source")
            >>> "model_data.cc" in {path.name for path in sources}
            True

        Args:
            folder: where the source goes; None for ``build/c/NAME``.
            board: reserve the arena predicted for it; None for what this machine uses, and more.
            arena: bytes of tensor arena, whatever the board.

        Returns:
            The files written.

        Raises:
            InputError: no such board, or the file cannot be exported.
        """
        from tinyseg.steps.firmware import export_c

        return export_c(self._session, _path(folder), board, arena)[0]

    def _with(self, images: Pictures | None) -> Session:
        """Return the session of the file with the images that the user named, if any."""
        source, dataset = own.pictures(images)
        return self._session if source is None else self._session.with_images(source, dataset)


def home_for(
    folder: str | os.PathLike[str] | None,
) -> tuple[Path, tempfile.TemporaryDirectory[str] | None]:
    """Return a folder to write to, and what keeps it if it is a temporary one."""
    if folder is not None:
        return Path(folder), None
    kept = tempfile.TemporaryDirectory(prefix="tinyseg-")
    return Path(kept.name), kept


def _path(folder: str | os.PathLike[str] | None) -> Path | None:
    return None if folder is None else Path(folder)
