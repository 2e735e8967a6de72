"""Networks to start from: built, loaded, or made integers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tinyseg import plan as plans
from tinyseg import zoo
from tinyseg.errors import InputError
from tinyseg.front.quantized import Quantized, home_for
from tinyseg.plan import Plan
from tinyseg.steps import own
from tinyseg.steps.border import Stated
from tinyseg.steps.integer_file import RECIPE
from tinyseg.steps.own import Pictures
from tinyseg.steps.session import Session

if TYPE_CHECKING:
    import tf_keras as keras


def build(
    name: str, input_shape: tuple[int, int, int] | None = None, **arguments: Any
) -> keras.Model:
    """Build a network of the zoo with random weights.

    Example:
        >>> import tinyseg
        >>> network = tinyseg.build("attention_unet_ds", (32, 32, 1), base_width=4, depth=2)
        >>> network.output_shape
        (None, 32, 32, 1)

    Args:
        name: as listed by ``tinyseg zoo``.
        input_shape: height, width and channels of the images; None for the reference size.
        arguments: of the network, such as ``base_width``, ``depth`` and ``classes``.

    Returns:
        A model of ``tf_keras`` (Keras 2), to be compiled and fitted like any other.

    Raises:
        InputError: unknown network or argument, or a shape that it cannot take.
    """
    shape = tuple(input_shape or zoo.network(name).input_shape)
    if len(shape) != 3:
        raise InputError(f"{name}: input_shape is {shape}; give (height, width, channels)")
    preprocessing = plans.PreprocessingPlan(*shape)
    plan = Plan(plans.ModelPlan(name, arguments), preprocessing=preprocessing)
    return own.remember(zoo.build(name, arguments, shape), plan)


def load(
    name_or_file: str | os.PathLike[str],
    recipe: str | None = None,
    *,
    size: int | None = None,
    unsafe: bool = False,
    **stated: Any,
) -> keras.Model | Quantized:
    """Open a network with trained weights, a Keras model, or an integer file.

    Example:
        >>> network = tinyseg.load("attention_unet_ds_256k/phantom")
        >>> network.count_params()
        45877
        >>> tinyseg.load("attention_unet_ds_256k/phantom", recipe="static_wi8_ai8")
        <Quantized attention_unet_ds_256k.tflite, ... bytes, static_wi8_ai8>

    Args:
        name_or_file: ``NETWORK/DATA`` or ``NETWORK`` for the newest weights trained here, else
            published ones; a weights file with its ``plan.json``; a Keras model of yours, as a
            ``.keras`` or ``.h5`` file of Keras 2 or 3 or the folder of a SavedModel; or a
            ``.tflite`` file.
        recipe: opens the integer file of the named network in that recipe, not its weights.
        size: side of the square input of a Keras model that takes images of any size.
        unsafe: run code that a Keras model file holds, such as Lambda layers.
        stated: what a ``.tflite`` file from elsewhere takes and gives, where it does not say so
            itself: ``scale`` and ``offset`` of pixels, ``threshold``, ``head`` and
            ``mask_output``, as the options of ``tinyseg predict``.

    Returns:
        A ``tf_keras`` model; of a ``.tflite`` file, or with a recipe, a :class:`Quantized`.

    Raises:
        InputError: no such network, weights or file, or one that differs from its plan.
    """
    name = os.fspath(name_or_file)
    if name.endswith(".tflite") or recipe is not None:
        session = Session.open_file(name, recipe=recipe or RECIPE, unsafe=unsafe)
        session.stating(Stated.of(**stated))
        _ = session.model  # A damaged file is an error here, not at the first use.
        return Quantized(session)
    session = Session.open(name, changes=_square(size), unsafe=unsafe)
    return own.remember(session.network, session.plan, session.path)


def quantize(
    network: keras.Model | str | os.PathLike[str],
    images: Pictures | None = None,
    *,
    recipe: str | None = None,
    weight_bits: int | None = None,
    size: int | None = None,
    unsafe: bool = False,
    settings: Mapping[str, Any] | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> Quantized:
    """Make a network a full-integer ``.tflite`` file, to the byte as ``tinyseg quantize`` does.

    Images are divided as for the training: those of the training part show the ranges of values,
    the test part is for :meth:`tinyseg.Quantized.verify` and :meth:`tinyseg.Quantized.evaluate`.

    Example:
        >>> network = tinyseg.build("attention_unet_ds", (32, 32, 1), base_width=4, depth=2)
        >>> quantized = tinyseg.quantize(network, "phantom:count=24,size=32")
        >>> quantized.recipe
        'static_wi8_ai8'

    Args:
        network: a model of Keras 2 or 3 with one image in and one mask or row of classes out, of
            the zoo or not; a name or file as for :func:`load`.
        images: name or folder of a data set; ``(images, masks)`` or ``(images, labels)``, NumPy
            arrays ``(n, height, width, channels)`` of uint8 or of floats in [0, 1] with masks
            ``(n, height, width)`` or ``(n, height, width, regions)`` or labels ``(n,)``; None for
            what a named network was trained with.
        recipe: ``static_wi8_ai8``, ``static_wi8_ai16`` or ``qat_wi8_ai8``, which trains on with
            the rounding in place; None for the plan's.
        weight_bits: cluster the weights of each channel and store 2 to 7 bits of each.
        size: as of :func:`load`.
        unsafe: likewise.
        settings: values of the plan by dotted name, as ``--set`` takes them, such as
            ``{"quantization.io": "float32", "preprocessing.scale": 1 / 127.5}``.
        folder: where file, plan and state of a training go; None for a temporary one, kept as
            long as what is returned.

    Returns:
        The integer network.

    Raises:
        InputError: unusable network, images or settings.
    """
    from tinyseg.steps.convert import convert
    from tinyseg.steps.quantize import recipe_for

    changes = {
        "quantization.recipe": recipe or recipe_for(weight_bits),
        "quantization.weight_bits": weight_bits,
        **_square(size),
        **(settings or {}),
    }
    home, kept = home_for(folder)
    session = own.session_to_quantize(network, images, changes, home, unsafe)
    made, _ = convert(session, home)
    return Quantized(made, kept)


def _square(size: int | None) -> dict[str, int | None]:
    """Return values of the plan by dotted name for a square input."""
    return {"preprocessing.height": size, "preprocessing.width": size}
