"""TensorFlow Lite on the host, with reference or optimised kernels."""

from __future__ import annotations

import functools
import os
import re
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from tinyseg.errors import InputError
from tinyseg.isolation import CrashedError, isolated
from tinyseg.runtime.runner import border
from tinyseg.runtime.segmented import WITHOUT_REFERENCE, SegmentedRunner
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.annotate import is_sealed
from tinyseg.tflite.border import batched
from tinyseg.tflite.host import for_host

T = TypeVar("T")
# Values of a SOFTMAX, equal ones, that its reference kernel cannot bear.
_WIDE = 512
_MISSING = re.compile(r"unresolved custom op: (\S+)\.")
_ALONE = (
    "no kernels of this machine can check its bytes; 'tinyseg memory --measure' runs it on TFLM"
)


class TfliteRunner:
    """Runs a file on the TensorFlow Lite interpreter.

    Args:
        model: parsed file; packed weights are unpacked, the interpreter lacks that operator.
        reference: use the reference kernels, whose bytes TFLM reproduces; the optimised ones
            are some 25 times faster and differ by one unit in the last place here and there.
            The few operators without a reference kernel run on their only kernel.
        keep_tensors: keep intermediate tensors readable through :meth:`tensor`.
        progress: called after each image.
        output: which of the outputs :meth:`run` returns.

    Raises:
        InputError: the interpreter refuses the file, or its packed weights are damaged.
    """

    def __init__(
        self,
        model: TfliteModel,
        *,
        reference: bool = True,
        keep_tensors: bool = False,
        progress: Callable[[], None] = lambda: None,
        output: int = 0,
    ) -> None:
        self._wide = _wide_softmax(model) if reference else ""
        # What we made ourselves does not crash, but for that.
        self._sealed, self._keep = is_sealed(model) and not self._wide, keep_tensors
        model = for_host(model)
        _need_kernels(model)
        self._model, self._reference = model, reference
        self.kernels = f"TFLite {'reference' if reference else 'optimised'} kernels"
        self.input, self.output = border(model, output)
        self._progress, self._output = progress, output
        self._parts: SegmentedRunner | None = None
        if reference and WITHOUT_REFERENCE.intersection(model.opcodes):
            self._parts = SegmentedRunner(model, progress=progress)
        elif self._sealed:
            _ = self._interpreter
        else:
            self._apart(lambda _: self._open() and None)

    @functools.cached_property
    def _interpreter(self) -> Any:
        return self._open()

    def run(self, inputs: np.ndarray) -> np.ndarray:
        """Run stored inputs ``(images, ...)`` one by one and return the stored outputs."""
        return self.run_all(inputs)[self._output]

    def run_all(self, inputs: np.ndarray) -> list[np.ndarray]:
        """Run stored inputs ``(images, ...)`` and return what each output stores of them.

        Raises:
            InputError: they do not fit the file, or it is damaged so that the interpreter crashes.
        """
        if inputs[0:1].size and inputs[0].size != np.prod(self.input.shape[1:]):
            raise InputError(
                f"{self._model.path}: takes {self.input.shape}, but the images are "
                f"{inputs.shape[1:]}"
            )
        if self._parts is not None:
            return [self._parts.run(inputs)]
        if not self._sealed:
            made = self._apart(lambda progress: self._run(inputs, progress))
            if not self._keep:
                return made
        return self._run(inputs, self._progress)

    def tensor(self, index: int) -> np.ndarray:
        """Return a tensor of the last image; needs ``keep_tensors``."""
        if self._parts is not None:
            return self._parts.tensor(index)
        return self._interpreter.get_tensor(index)

    def _open(self) -> Any:
        import tensorflow as tf

        resolver = tf.lite.experimental.OpResolverType
        kind = resolver.BUILTIN_REF if self._reference else resolver.AUTO
        if self._keep and not self._reference:
            kind = resolver.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        try:
            with warnings.catch_warnings():
                # It announces its successor, ai-edge-litert, which is the same interpreter.
                warnings.simplefilter("ignore")
                interpreter = tf.lite.Interpreter(
                    model_content=self._model.content,
                    experimental_op_resolver_type=kind,
                    experimental_preserve_all_tensors=self._keep,
                    num_threads=None if self._reference else os.cpu_count(),
                )
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise self._refused("load", error) from None
        return interpreter

    def _refused(self, what: str, error: Exception) -> InputError:
        reason = " ".join(str(error).split())[:200]
        if missing := _MISSING.search(reason):
            return InputError(f"{self._model.path}: TensorFlow Lite has no {missing[1]}; {_ALONE}")
        return InputError(
            f"{self._model.path}: TensorFlow Lite cannot {what} it ({reason}); convert it again"
        )

    def _run(self, inputs: np.ndarray, progress: Callable[[], None]) -> list[np.ndarray]:
        interpreter = self._interpreter
        source = interpreter.get_input_details()[0]
        targets = interpreter.get_output_details()
        found: list[list[np.ndarray]] = [[] for _ in targets]
        for image in inputs:
            try:
                interpreter.set_tensor(source["index"], image.reshape(source["shape"]))
                interpreter.invoke()
                made = [interpreter.get_tensor(target["index"]) for target in targets]
            except (ValueError, RuntimeError) as error:
                raise self._refused("run", error) from None
            for kept, values in zip(found, made, strict=True):
                kept.append(values.reshape(batched(values.shape))[0])
            progress()
        return [np.stack(kept) for kept in found]

    def _apart(self, call: Callable[[Callable[[], None]], T]) -> T:
        """Do with a file that nobody vouches for what may crash."""
        import tensorflow as tf  # noqa: F401  Here, so that the copies find it imported.

        try:
            return isolated(call, self._progress)
        except CrashedError as error:
            if self._wide:
                raise InputError(f"{self._model.path}: {self._wide}") from None
            raise InputError(
                f"{self._model.path}: damaged, or of a kind that TensorFlow Lite cannot bear: it "
                f"crashes on it ({error}); convert or download it again"
            ) from None


def _wide_softmax(model: TfliteModel) -> str:
    """Say which SOFTMAX of integers may end the reference kernels; empty for none.

    They shift by more than 31 bits, which they check for, where the exponentials add up to as much.
    """
    for operator in model.operators:
        if operator.opcode == "SOFTMAX" and operator.outputs[0].dtype == "int8":
            values = operator.outputs[0].shape[-1]
            if values >= _WIDE:
                return (
                    f"operator {operator.index} SOFTMAX over {values:,} values: the reference "
                    f"kernel ends the program where {_WIDE} of them are about equal; let fewer "
                    "take part"
                )
    return ""


def _need_kernels(model: TfliteModel) -> None:
    """Refuse SVDF with 8 bits of state: TensorFlow Lite takes it for 16 and writes beyond it."""
    for operator in model.operators:
        state = operator.inputs[4] if len(operator.inputs) > 4 else None
        if operator.opcode == "SVDF" and state is not None and state.dtype == "int8":
            raise InputError(
                f"{model.path}: operator {operator.index} SVDF: TensorFlow Lite has no kernel for "
                f"a state of int8; {_ALONE}"
            )
