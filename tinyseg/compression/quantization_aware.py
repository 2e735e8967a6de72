"""Quantization-aware training: the network learns with the rounding of its integer form.

Jacob et al., 2018, arXiv:1712.05877, with TensorFlow Model Optimization's wrapper and fake
quantization. Each layer of :func:`tinyseg.compression.folding.fold` is one integer operator;
its weights are rounded per output channel, its output to a range that calibration found. Tensors
that TFLite Micro keeps on one scale (around pooling, nearest and bilinear resizing,
concatenation) share a range, so that no operator is needed to convert between scales.

Residual-binarized kernels go on being binarized; their gammas are rounded so that every one of
their values is an integer multiple of the kernel's scale.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras
from tensorflow_model_optimization.quantization.keras import QuantizeConfig, QuantizeWrapperV2
from tensorflow_model_optimization.quantization.keras.quantizers import Quantizer

from tinyseg.compression.clustering import ClusterQuantizer, check_bits
from tinyseg.compression.folding import CONVOLUTIONS, FOLDED, SignGrid, fold, walk
from tinyseg.errors import InputError
from tinyseg.zoo.blocks.residual_binarization import ResidualSign
from tinyseg.zoo.blocks.residual_binary_convolution import (
    ResidualBinaryConv2D,
    ResidualBinaryDepthwiseConv2D,
    ResidualBinaryKernels,
)

# Operators whose integer kernels keep the scale of their input.
_SAME_SCALE = (
    keras.layers.MaxPooling2D,
    keras.layers.AveragePooling2D,
    keras.layers.UpSampling2D,
    keras.layers.Concatenate,
    keras.layers.Reshape,
    keras.layers.ZeroPadding2D,
)
_OWN_SCALE = (
    *CONVOLUTIONS,
    keras.layers.Dense,
    keras.layers.Add,
    keras.layers.Multiply,
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.GlobalAveragePooling2D,
    ResidualSign,
    ResidualBinaryConv2D,
    ResidualBinaryDepthwiseConv2D,
)
# Outputs of these have a scale that the kernel fixes.
_FIXED = {"sigmoid": (0.0, 255 / 256), "softmax": (0.0, 255 / 256), "tanh": (-1.0, 127 / 128)}
_FIXED_STEP = 1 / 128
_BATCH = 8


class KernelQuantizer(Quantizer):
    """Rounds weights to -127..127, symmetric, one scale for each output channel.

    Args:
        kind: ``last`` if the last axis of the kernel is that of the output channels,
            ``depthwise`` if the last two are, ``tensor`` for a single scale.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def build(self, tensor_shape: Any, name: str, layer: Any) -> dict[str, Any]:
        """The scale follows the weights; nothing is stored."""
        return {}

    def __call__(self, inputs: tf.Tensor, training: Any, weights: Any, **_: Any) -> tf.Tensor:
        """Return rounded weights; the gradient passes unchanged."""
        limit = self.limits(tf.stop_gradient(inputs))
        if self.kind == "tensor":
            return tf.quantization.fake_quant_with_min_max_vars(
                inputs, -limit, limit, narrow_range=True
            )
        shape = tuple(inputs.shape)
        # (height, width, channels, multiplier) has the memory layout of one last axis.
        flat = (*shape[:2], 1, shape[2] * shape[3]) if self.kind == "depthwise" else shape
        kernel = tf.reshape(inputs, flat)
        limit = tf.maximum(limit, 1e-6)
        rounded = tf.quantization.fake_quant_with_min_max_vars_per_channel(
            kernel, -limit, limit, narrow_range=True
        )
        return tf.reshape(rounded, shape)

    def limits(self, kernel: tf.Tensor) -> tf.Tensor:
        """Return the magnitude that becomes 127: ``(channels,)``, or one for the whole kernel."""
        if self.kind == "tensor":
            return tf.reduce_max(tf.abs(kernel))
        shared = range(len(kernel.shape) - (2 if self.kind == "depthwise" else 1))
        return tf.reshape(tf.reduce_max(tf.abs(kernel), list(shared)), [-1])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {"kind": self.kind}


class GammaQuantizer(Quantizer):
    """Rounds gammas to multiples of a 127th of their sum, which stays as it is."""

    def build(self, tensor_shape: Any, name: str, layer: Any) -> dict[str, Any]:
        """Nothing is stored."""
        return {}

    def __call__(self, inputs: tf.Tensor, training: Any, weights: Any, **_: Any) -> tf.Tensor:
        """Return rounded gammas ``(levels, ...)``; the gradient passes unchanged."""
        gammas = tf.abs(inputs)
        unit = tf.maximum(tf.reduce_sum(gammas, 0), 1e-6) / 127
        rest = tf.round(gammas[1:] / unit)
        first = 127 - tf.reduce_sum(rest, 0, keepdims=True)
        rounded = tf.concat([first, rest], 0) * unit
        return gammas + tf.stop_gradient(rounded - gammas)

    def get_config(self) -> dict[str, Any]:
        """There are no arguments."""
        return {}


class RangeQuantizer(Quantizer):
    """Rounds activations to 256 steps of a fixed range that holds zero.

    Attributes:
        grid: TensorFlow Lite rounds the result of a convolution twice, first to a fraction of a
            step, by output channel; None to leave that out.
    """

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high
        self.grid: np.ndarray | None = None

    def build(self, tensor_shape: Any, name: str, layer: Any) -> dict[str, Any]:
        """The range is fixed; nothing is stored."""
        return {}

    def __call__(self, inputs: tf.Tensor, training: Any, weights: Any, **_: Any) -> tf.Tensor:
        """Return rounded activations; the gradient passes within the range."""
        if self.grid is not None:
            # Halves go away from zero in both roundings; a quarter more sees to the second.
            fine = tf.round(inputs / self.grid)
            inputs = (fine + 0.25 * tf.sign(fine)) * self.grid
        return tf.quantization.fake_quant_with_min_max_args(inputs, self.low, self.high)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {"low": self.low, "high": self.high}


class IntegerOperator(QuantizeConfig):
    """Rounds a layer's kernel, if it has one, and its output, if it has a scale of its own.

    Args:
        output: range of the output, None if it has that of the input.
        one_scale: whether all channels of the kernel share a scale.
        weight_bits: 8, or fewer for a clustered kernel.
    """

    def __init__(
        self,
        output: tuple[float, float] | None = None,
        one_scale: bool = False,
        weight_bits: int = 8,
    ) -> None:
        self.output, self.one_scale, self.weight_bits = output, one_scale, weight_bits

    def get_weights_and_quantizers(self, layer: keras.layers.Layer) -> list:
        """See :class:`QuantizeConfig`."""
        return [
            (getattr(layer, name), self._clustered(getattr(layer, name), quantizer))
            for name, quantizer in _rounded_weights(layer, self.one_scale)
        ]

    def _clustered(self, kernel: tf.Variable, rounding: Quantizer) -> Quantizer:
        kind = getattr(rounding, "kind", "binary")
        if self.weight_bits == 8 or kind == "binary":
            return rounding
        # Where all channels share a scale, packing has one table for them all.
        axes = {"last": 1, "depthwise": 2, "tensor": 0}[kind]
        return ClusterQuantizer(kernel.numpy(), axes, self.weight_bits, rounding)

    def set_quantize_weights(self, layer: keras.layers.Layer, quantize_weights: list) -> None:
        """See :class:`QuantizeConfig`."""
        names = [name for name, _ in _rounded_weights(layer, self.one_scale)]
        for name, value in zip(names, quantize_weights, strict=True):
            setattr(layer, name, value)

    def get_activations_and_quantizers(self, layer: keras.layers.Layer) -> list:
        """Activations are rounded as outputs."""
        return []

    def set_quantize_activations(
        self, layer: keras.layers.Layer, quantize_activations: Any
    ) -> None:
        """Nothing to set."""
        del layer, quantize_activations

    def get_output_quantizers(self, layer: keras.layers.Layer) -> list[Quantizer]:
        """See :class:`QuantizeConfig`."""
        return [RangeQuantizer(*self.output)] if self.output else []

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {
            "output": self.output,
            "one_scale": self.one_scale,
            "weight_bits": self.weight_bits,
        }


def _rounded_weights(layer: keras.layers.Layer, one_scale: bool) -> list[tuple[str, Quantizer]]:
    """Return names of the weights that are rounded, and what rounds them."""
    if isinstance(layer, ResidualBinaryKernels):
        names = [name.replace("kernel", "gammas") for name in layer.kernel_levels]
        return [(name, GammaQuantizer()) for name in names]
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        return [("depthwise_kernel", KernelQuantizer("tensor" if one_scale else "depthwise"))]
    if isinstance(layer, keras.layers.Conv2DTranspose | keras.layers.Dense):
        # The converter takes one scale only here: it moves their channels to another axis.
        return [("kernel", KernelQuantizer("tensor"))]
    if isinstance(layer, keras.layers.Conv2D):
        return [("kernel", KernelQuantizer("tensor" if one_scale else "last"))]
    return []


def quantization_aware(
    model: keras.Model, calibration: np.ndarray, weight_bits: int = 8
) -> keras.Model:
    """Return a network that computes in float32 what its integer form will compute.

    Args:
        model: trained float network.
        calibration: network inputs float32 ``(images, height, width, channels)``.
        weight_bits: 8, or fewer to cluster the kernels, see
            :mod:`tinyseg.compression.clustering`; binarized ones stay as they are.

    Returns:
        Trainable network of the same input and output; batch normalizations are folded and
        ranges fixed.

    Raises:
        InputError: a layer has no integer form, the message names it; or unusable bits.
    """
    check_bits(weight_bits)
    for layer in model.layers:
        # By exact type: a subclass computes something else. Networks within are named later.
        known = type(layer) in (*_SAME_SCALE, *_OWN_SCALE, *FOLDED, keras.layers.InputLayer)
        if not known and not isinstance(layer, keras.Model | keras.layers.Dropout):
            kind = getattr(layer, "kind", type(layer).__name__)
            raise InputError(
                f"{layer.name}: quantization-aware training does not know {kind}; use recipe "
                "static_wi8_ai8"
            )
    folded = fold(model)
    ranges = _ranges(folded, calibration)

    def visit(layer: keras.layers.Layer, sources: list[keras.KerasTensor]) -> keras.KerasTensor:
        copy = layer.__class__.from_config(layer.get_config())
        # Before it is wrapped: then its kernel is the rounded one.
        copy.build(layer.input_shape)
        copy.set_weights(layer.get_weights())
        config = IntegerOperator(ranges.get(layer.name), weight_bits=weight_bits)
        wrapped = QuantizeWrapperV2(copy, config, name=layer.name)
        for place, tensor in enumerate(layer.inbound_nodes[0].keras_inputs):
            if tensor is folded.inputs[0]:
                if not entry:
                    entry.append(rounding(sources[place]))
                sources[place] = entry[0]
        return wrapped(sources if len(sources) > 1 else sources[0])

    image = folded.inputs[0].name
    linear = keras.layers.Activation("linear", name=f"{image}_rounding")
    rounding = QuantizeWrapperV2(linear, IntegerOperator(ranges[image]), name=linear.name)
    entry: list[keras.KerasTensor] = []
    return walk(folded, visit)


def _ranges(model: keras.Model, calibration: np.ndarray) -> dict[str, tuple[float, float]]:
    """Return the range of each layer's output; layers on one scale have the same one."""
    observed = _observe(model, calibration)
    group = {layer.name: layer.name for layer in model.layers}

    def root(name: str) -> str:
        while group[name] != name:
            name = group[name]
        return name

    for layer in model.layers:
        if isinstance(layer, _SAME_SCALE):
            for node in layer.inbound_nodes[0].parent_nodes:
                group[root(node.layer.name)] = root(layer.name)
    fixed = {
        root(layer.name): _FIXED[layer.activation.__name__]
        for layer in model.layers
        if isinstance(layer, keras.layers.Activation) and layer.activation.__name__ in _FIXED
    }
    merged: dict[str, tuple[float, float]] = {}
    for name, (low, high) in observed.items():
        known = merged.get(root(name), (0.0, 0.0))
        merged[root(name)] = (min(low, known[0]), max(high, known[1]))
    for layer in model.layers:
        _check_fixed(layer, observed[layer.name], fixed.get(root(layer.name)))
    for layer in model.layers:
        if isinstance(layer, ResidualSign):
            step = SignGrid.of(layer).step
            # Rounded to integers 0..127: what is below zero was cut off.
            fixed[root(layer.inbound_nodes[0].parent_nodes[0].layer.name)] = (
                -128 * step,
                127 * step,
            )
            most = float(np.abs(layer.gammas.numpy()).sum())
            ends = (0.0, 2 * most) if layer.positive else (-most * 128 / 127, most)
            low, high = merged[root(layer.name)]
            merged[root(layer.name)] = (min(low, ends[0]), max(high, ends[1]))
    return {
        layer.name: fixed.get(root(layer.name), merged[root(layer.name)])
        for layer in model.layers
        if not isinstance(layer, _SAME_SCALE)
    }


def _check_fixed(
    layer: keras.layers.Layer, observed: tuple[float, float], fixed: tuple[float, float] | None
) -> None:
    """Refuse to cut off values that share the scale of a sigmoid, softmax or tanh."""
    # The functions themselves reach one step further, to 1.
    if fixed and (observed[0] < fixed[0] - _FIXED_STEP or observed[1] > fixed[1] + _FIXED_STEP):
        raise InputError(
            f"{layer.name}: its values, {observed[0]:.3g} to {observed[1]:.3g}, share the fixed "
            "scale of a sigmoid, softmax or tanh that they are joined with; use recipe "
            "static_wi8_ai8"
        )


def _observe(model: keras.Model, calibration: np.ndarray) -> dict[str, tuple[float, float]]:
    names = [layer.name for layer in model.layers]
    probe = keras.Model(model.inputs, [layer.output for layer in model.layers])
    low, high = np.zeros(len(names)), np.zeros(len(names))
    for start in range(0, len(calibration), _BATCH):
        outputs = probe(calibration[start : start + _BATCH], training=False)
        low = np.minimum(low, [float(tf.reduce_min(output)) for output in outputs])
        high = np.maximum(high, [float(tf.reduce_max(output)) for output in outputs])
    # A layer that is zero on all images still needs a range.
    high = np.maximum(high, low + 1e-6)
    return {name: (float(a), float(b)) for name, a, b in zip(names, low, high, strict=True)}
