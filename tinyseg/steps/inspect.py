"""Look inside a trained network: filters, attention, predictions, a patient's slices."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyseg import files, presets
from tinyseg.data.store import ImageStore
from tinyseg.errors import InputError
from tinyseg.plan import Plan
from tinyseg.reporting import inside, pages
from tinyseg.runtime.keras import KerasRunner
from tinyseg.runtime.meaning import enlarge
from tinyseg.runtime.views import outputs_at
from tinyseg.scoring.scores import score_each
from tinyseg.steps.images import sample
from tinyseg.steps.session import Session
from tinyseg.training.attention_maps import FOLDER, attention_maps, gate_layers, stored_maps
from tinyseg.verification.scored import decided, mismatch

if TYPE_CHECKING:
    import tf_keras as keras

CAPTIONS = {
    "panels.jpg": "Images, their truth, the probability that the network gives, and errors: green "
    "hit, red false, blue missed. Of several regions any counts, and Dice is their mean.",
    "filters.png": "Filters of the first convolution; grey is 0, white and black the largest "
    "weight of each.",
    "attention.gif": "What each attention gate lets through of the first image, the coarsest "
    "first: dark nothing, bright everything. One frame an epoch where training stored them.",
    "volume.gif": "The slices of one patient, truth and prediction.",
}


def inspect(
    session: Session,
    part: str = "validation",
    count: int = 6,
    patient: str | None = None,
    folder: Path | None = None,
) -> dict[str, Any]:
    """Draw what a trained network has learned into ``inside.html`` and the pictures beside it.

    Args:
        session: network in the zoo, or its weights.
        part: of the data: ``train``, ``validation``, ``test`` or ``all``.
        count: images to show.
        patient: whose slices are animated; None for the first one that has several.
        folder: where the results go; None for ``build/inside``.

    Returns:
        ``{"page", "pictures", "images", "gates", "epochs"}``.

    Raises:
        InputError: a ``.tflite`` file, which has no such inside; unusable data; no such patient.
    """
    path, folder = session.path, folder or presets.BUILD / "inside"
    if session.is_file:
        raise InputError(f"{path}: give the network's weights, a .tflite file has no layers to see")
    images, model, plan = session.images, session.network, session.plan
    chosen = sample(images.filled(part), count)
    drawn = {"filters.png": inside.filters(first_kernel(model))}
    if not chosen.classes:
        drawn["panels.jpg"] = inside.panels(_panels(session, chosen))
    gates, epochs = gate_layers(model), []
    if gates:
        # Training followed an image of its own data: of other data there are no stored maps.
        stored = stored_maps(session.file.parent / FOLDER) if session.same_data else []
        epochs = [epoch for epoch, _ in stored]
        shown, maps = _attention(model, stored, images.part("validation") or chosen, plan)
        drawn["attention.gif"] = inside.attention_animation(shown, maps)
    slices = _slices(images.store, images.filled(part), patient)
    if slices is not None and not slices.classes:
        masks, _ = _made(session, slices)
        drawn["volume.gif"] = inside.volume_animation(
            slices.images, slices.masks.astype(bool), masks, slices.samples[0].group
        )
    for name, content in drawn.items():
        files.write_bytes(folder / name, content)
    pictures = pages.with_captions(drawn, CAPTIONS)
    page = pages.render("inside.html", title=f"Inside {model.name}", pictures=pictures)
    return {
        "page": str(files.write_text(folder / "inside.html", page)),
        "pictures": [str(folder / name) for name in drawn],
        "images": chosen.names,
        "gates": gates,
        "epochs": epochs,
    }


def first_kernel(model: keras.Model) -> np.ndarray:
    """Return the weights of a network's first convolution, ``(height, width, channels, filters)``.

    Both kernels of a separable one are multiplied.

    Raises:
        InputError: the network has no convolution.
    """
    for layer in model.layers:
        if hasattr(layer, "pointwise_kernel"):
            deep, across = layer.depthwise_kernel.numpy(), layer.pointwise_kernel.numpy()
            across = across.reshape(*deep.shape[2:], -1)
            return np.einsum("hwcm,cmf->hwcf", deep, across)
        if hasattr(layer, "depthwise_kernel"):
            deep = layer.depthwise_kernel.numpy()
            return deep.reshape(*deep.shape[:2], 1, -1)
        kernel = getattr(layer, "kernel", None)
        if kernel is not None and len(kernel.shape) == 4:
            return np.asarray(kernel)
    raise InputError(f"{model.name}: has no convolution to show")


def _made(session: Session, images: ImageStore) -> tuple[np.ndarray, np.ndarray]:
    """Return the masks that a network makes of images, and the probabilities of their regions.

    Raises:
        InputError: its output has other regions than the images.
    """
    preprocessing = session.preprocessing
    if reason := mismatch(session.reading, images):
        raise InputError(f"{session.path}: {reason}")
    runner, inputs = KerasRunner(session.network), images.inputs(preprocessing)
    outputs = outputs_at(preprocessing, runner, inputs, session.reading)
    reading, size = session.reading.marking(images.masks.shape[-1]), images.masks.shape[1:3]
    maps = np.stack([enlarge(one, size) for one in reading.probabilities(outputs)])
    return decided(reading, outputs, images, preprocessing), reading.without_background(maps)


def _panels(session: Session, images: ImageStore) -> list[inside.Panel]:
    masks, probabilities = _made(session, images)
    dice = score_each(images, masks)
    return [
        inside.Panel(
            name,
            images.images[row],
            images.masks[row].any(-1),
            probabilities[row].max(-1),
            masks[row].any(-1),
            float(dice[row]),
        )
        for row, name in enumerate(images.names)
    ]


def _attention(
    model: keras.Model,
    stored: list[tuple[int, dict[str, np.ndarray]]],
    validation: ImageStore,
    plan: Plan,
) -> tuple[np.ndarray, list[tuple[int, dict[str, np.ndarray]]]]:
    """Return the image that training followed and its maps by epoch, else those of now."""
    followed = validation.take([0])
    maps = stored or [(0, attention_maps(model, followed.inputs(plan.preprocessing)))]
    return followed.images[0], [
        (epoch, {name: gate[0] for name, gate in gates.items()}) for epoch, gates in maps
    ]


def _slices(store: ImageStore, part: ImageStore, patient: str | None) -> ImageStore | None:
    """Return all slices of a patient in their order."""
    known = {one.group for one in store.samples if one.group}
    if patient is not None and patient not in known:
        some = ", ".join(sorted(known)[:5]) or "none"
        raise InputError(f"--volume {patient}: no such patient; there are {some}")
    if patient is None:
        groups = [one.group for one in part.samples]
        patient = next((group for group in groups if group and groups.count(group) > 1), None)
    if patient is None:
        return None
    return store.take([row for row, one in enumerate(store.samples) if one.group == patient])
