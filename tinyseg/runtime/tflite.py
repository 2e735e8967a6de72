"""TensorFlow Lite on the host, with reference or optimised kernels."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable

import numpy as np

from tinyseg.errors import InputError
from tinyseg.runtime.runner import border
from tinyseg.runtime.segmented import WITHOUT_REFERENCE, SegmentedRunner
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.host import for_host


class TfliteRunner:
    """Runs a file on the TensorFlow Lite interpreter.

    Args:
        model: parsed file; packed weights are unpacked, the interpreter lacks that operator.
        reference: use the reference kernels, whose bytes TFLM reproduces; the optimised ones
            are some 25 times faster and differ by one unit in the last place here and there.
            The few operators without a reference kernel run on their only kernel.
        keep_tensors: keep intermediate tensors readable through :meth:`tensor`.
        progress: called after each image.

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
    ) -> None:
        import tensorflow as tf

        resolver = tf.lite.experimental.OpResolverType
        kind = resolver.BUILTIN_REF if reference else resolver.AUTO
        if keep_tensors and not reference:
            kind = resolver.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        model = for_host(model)
        self.kernels = f"TFLite {'reference' if reference else 'optimised'} kernels"
        self.input, self.output = border(model)
        self._progress, self._path = progress, model.path
        self._parts: SegmentedRunner | None = None
        try:
            if reference and WITHOUT_REFERENCE.intersection(model.opcodes):
                self._parts = SegmentedRunner(model, progress=progress)
                return
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
        self._input_index = self._interpreter.get_input_details()[0]["index"]
        self._output_index = self._interpreter.get_output_details()[0]["index"]

    def run(self, inputs: np.ndarray) -> np.ndarray:
        """Run stored inputs ``(images, ...)`` one by one and return the stored outputs."""
        if inputs.shape[1:] != self.input.shape[1:]:
            raise InputError(
                f"{self._path}: takes {self.input.shape}, but the images are {inputs.shape[1:]}"
            )
        if self._parts is not None:
            return self._parts.run(inputs)
        outputs = []
        for image in inputs:
            self._interpreter.set_tensor(self._input_index, image[None])
            self._interpreter.invoke()
            outputs.append(self._interpreter.get_tensor(self._output_index)[0])
            self._progress()
        return np.stack(outputs)

    def tensor(self, index: int) -> np.ndarray:
        """Return a tensor of the last image; needs ``keep_tensors``."""
        if self._parts is not None:
            return self._parts.tensor(index)
        return self._interpreter.get_tensor(index)
