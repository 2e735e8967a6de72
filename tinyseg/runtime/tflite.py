"""TensorFlow Lite on the host, with reference or optimised kernels."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable

import numpy as np

from tinyseg.errors import InputError
from tinyseg.runtime.runner import border
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.border import batched
from tinyseg.tflite.packing import unpacked


class TfliteRunner:
    """Runs a file on the TensorFlow Lite interpreter.

    Args:
        model: parsed file; packed weights are unpacked, the interpreter lacks that operator.
        reference: use the reference kernels, whose bytes TFLM reproduces; the optimised ones
            are some 25 times faster and differ by one unit in the last place here and there.
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
        import tensorflow as tf

        resolver = tf.lite.experimental.OpResolverType
        kind = resolver.BUILTIN_REF if reference else resolver.AUTO
        if keep_tensors and not reference:
            kind = resolver.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        model = unpacked(model)
        self.input, self.output = border(model, output)
        self._progress, self._output = progress, output
        try:
            with warnings.catch_warnings():
                # It announces its successor, ai-edge-litert, which is the same interpreter.
                warnings.simplefilter("ignore")
                self._interpreter = tf.lite.Interpreter(
                    model_content=model.content,
                    experimental_op_resolver_type=kind,
                    experimental_preserve_all_tensors=keep_tensors,
                    num_threads=None if reference else os.cpu_count(),
                )
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(
                f"{model.path}: TensorFlow Lite cannot load it ({reason}); convert it again"
            ) from None
        self._source = self._interpreter.get_input_details()[0]
        self._targets = self._interpreter.get_output_details()

    def run(self, inputs: np.ndarray) -> np.ndarray:
        """Run stored inputs ``(images, ...)`` one by one and return the stored outputs."""
        return self.run_all(inputs)[self._output]

    def run_all(self, inputs: np.ndarray) -> list[np.ndarray]:
        """Run stored inputs ``(images, ...)`` and return what each output stores of them."""
        found: list[list[np.ndarray]] = [[] for _ in self._targets]
        for image in inputs:
            self._interpreter.set_tensor(
                self._source["index"], image.reshape(self._source["shape"])
            )
            self._interpreter.invoke()
            for kept, target in zip(found, self._targets, strict=True):
                values = self._interpreter.get_tensor(target["index"])
                kept.append(values.reshape(batched(values.shape))[0])
            self._progress()
        return [np.stack(kept) for kept in found]

    def tensor(self, index: int) -> np.ndarray:
        """Return a tensor of the last image; needs ``keep_tensors``."""
        return self._interpreter.get_tensor(index)
