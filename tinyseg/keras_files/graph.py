"""A SavedModel without layers: its serving function as one layer of Keras 2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf
import tf_keras as keras
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2

from tinyseg.errors import InputError
from tinyseg.keras_files.description import GRAPH, OptionError

_SIGNATURE = "serving_default"
# Operators with effects or code outside of the graph; what is stateful is refused beside these.
_EFFECTS = ("PyFunc", "EagerPyFunc", "PyFuncStateless", "ReadFile", "WriteFile", "MatchingFiles",
            "PrintV2", "Print", "SaveV2", "RestoreV2", "Restore", "Save", "RemoteCall")  # fmt: skip
# Stateful ones that touch nothing but the graph's own variables, as random layers do.
_STATES = {
    "VarHandleOp", "ReadVariableOp", "AssignVariableOp", "AssignAddVariableOp",
    "StatefulPartitionedCall", "Placeholder", "If", "While",
}  # fmt: skip


class SavedGraph(keras.layers.Layer):
    """Calls the serving function of a SavedModel.

    Args:
        path: folder.
        name: of the layer.
    """

    kind = "SavedModel without layers"

    def __init__(self, path: str | Path, name: str, **_: Any) -> None:
        super().__init__(name=name)
        self._path = str(path)
        self._loaded = tf.saved_model.load(self._path)
        self._serve = self._loaded.signatures[_SIGNATURE]

    @property
    def image_shape(self) -> tuple[int | None, ...]:
        """Shape of the input, with the batch in front."""
        return tuple(self._input.shape)

    @property
    def _input(self) -> tf.TensorSpec:
        (specification,) = self._serve.structured_input_signature[1].values()
        return specification

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Compute the only output."""
        specification = self._input
        name = specification.name
        (result,) = self._serve(**{name: tf.cast(inputs, specification.dtype)}).values()
        return result

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {"path": self._path, "name": self.name}


def read_graph(path: Path, unsafe: bool) -> SavedGraph:
    """Open a SavedModel that has no description of its layers.

    Args:
        path: folder.
        unsafe: open it whatever its operators do.

    Raises:
        InputError: it is damaged, has no serving function of one image, or operators that read or
            write files or call code.
    """
    model = saved_model_pb2.SavedModel()
    try:
        model.ParseFromString((path / GRAPH).read_bytes())
        graph = model.meta_graphs[0]
    except (DecodeError, IndexError):
        raise InputError(f"{path / GRAPH}: not readable; export the model again") from None
    signature = graph.signature_def.get(_SIGNATURE)
    if signature is None or len(signature.inputs) != 1 or len(signature.outputs) != 1:
        raise InputError(
            f"{path}: has no '{_SIGNATURE}' of one input and one output; export it with "
            "model.export(folder)"
        )
    if not unsafe:
        _check(graph, path)
    try:
        return SavedGraph(path, "graph")
    except (OSError, ValueError, KeyError, tf.errors.OpError) as error:
        reason = " ".join(str(error).split())[:150]
        raise InputError(f"{path}: cannot be opened ({reason}); export the model again") from None


def _check(graph: Any, path: Path) -> None:
    """Refuse operators that a network has no need of, in whatever is opened or run."""
    for node in graph.object_graph_def.nodes:
        if node.WhichOneof("kind") in ("asset", "resource"):
            raise InputError(f"{path}: comes with files or tables; leave them out of the network")
    functions = {function.signature.name: function for function in graph.graph_def.library.function}
    entry = graph.signature_def[_SIGNATURE]
    wanted = {info.name.split(":")[0] for info in entry.outputs.values()}
    pending = [node for node in graph.graph_def.node if node.name in wanted]
    seen: set[str] = set()
    while pending:
        node = pending.pop()
        if _has_effects(node.op) and node.op not in functions:
            raise OptionError(
                f"{path}: operator {node.op} ('{node.name}') reads, writes or calls something "
                "outside of the network; leave it out, or give --unsafe if you trust the file"
            )
        called = {node.op} | {value.func.name for value in node.attr.values()}
        called |= {f.name for value in node.attr.values() for f in value.list.func}
        for name in called & functions.keys() - seen:
            seen.add(name)
            pending += functions[name].node_def


def _has_effects(operator: str) -> bool:
    from tensorflow.python.framework import op_def_registry

    definition = op_def_registry.get(operator)
    if operator in _EFFECTS or definition is None:
        return True
    return definition.is_stateful and operator not in _STATES
