"""Start a residual-binarized network from a trained one."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from tinyseg import files
from tinyseg.plan import Plan
from tinyseg.steps.session import Session
from tinyseg.steps.train import Trained, finish, validation_scores


@dataclasses.dataclass(frozen=True)
class Binarized(Trained):
    """A residual-binarized network that was trained from another's weights.

    Attributes:
        start: scores before the training, see :func:`tinyseg.steps.train.validation_scores`.
    """

    start: dict[str, Any] = dataclasses.field(kw_only=True)


def binarize(
    plan: Plan,
    source: Session,
    folder: str | Path | None = None,
    split_file: str | Path | None = None,
) -> Binarized:
    """Start a residual-binarized network from a trained one, then train it on the masks.

    Args:
        plan: of the binarized network; its binarization names the source's weights.
        source: the trained network.
        folder: where the results go; None for ``build/MODEL/DATA/float``.
        split_file: division of the images; None for the one that the source was trained with.

    Raises:
        InputError: unusable settings or images, or networks that do not match.
    """
    from tinyseg.compression.binarization import transfer_weights
    from tinyseg.training.loop import new_network, train_network

    settings = plan.binarization
    source = source.named(settings.source)
    digest = files.sha256(settings.source)
    plan = dataclasses.replace(
        plan, binarization=dataclasses.replace(settings, source_sha256=digest)
    )
    session = Session(plan, split_file=split_file, parent=source)
    folder = folder or session.run_folder("float")
    trained = source.network
    network = new_network(plan)
    images = session.images
    transfer_weights(trained, network, images.calibration(session.plan))
    start = validation_scores(network, session)
    train_network(network, session.plan, images.part("train"), images.part("validation"), folder)
    return Binarized(**vars(finish(network, session, folder)), start=start)
