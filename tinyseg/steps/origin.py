"""What a network learned from, said wherever it is used."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tinyseg import plan as plans
from tinyseg import presets
from tinyseg.plan import Plan

if TYPE_CHECKING:
    from tinyseg.steps.session import Session

log = logging.getLogger(__name__)


def announce(session: Session, source: str | None) -> None:
    """Name a session's file and the data it was trained on; warn where others are asked for.

    Args:
        session: of weights or of a ``.tflite`` file; of one that no plan lies beside nothing is
            known, so nothing is said.
        source: data that the user named; None for none.
    """
    if session.trained is None:
        return
    learned = learned_by(session)
    if learned is None:
        log.info("%s: made with images of %s", session.path, session.trained.data.source)
        return
    log.info("%s: trained on %s", session.path, learned.data.source)
    if source is not None and presets.slug(source) != presets.slug(learned.data.source):
        _warn(session, learned)


def warn_of_other_images(session: Session) -> None:
    """Warn where a network meets other images than it learned from, though they have one name."""
    if session.trained is None or session.own or session.same_data:
        return
    learned = learned_by(session)
    if learned is not None and _same_name(session.plan, learned):
        _warn(session, learned)


def warn_of_phantoms(session: Session) -> None:
    """Warn of masks of a user's images by a network that saw generated ones alone."""
    learned = learned_by(session)
    if learned is not None and learned.data.source.startswith("phantom"):
        log.warning(
            "warning: %s was trained on generated phantoms: of real images its masks mean nothing; "
            "choose other weights with --data, or train it on yours",
            session.path,
        )


def learned_by(session: Session) -> Plan | None:
    """Return the plan that a network was trained by; None if it is not known.

    Of an integer file it is that of the weights it was made of: its own images calibrated it.
    """
    made = session.trained
    if made is None or not session.is_file:
        return made
    weights = presets.weights_by_hash(made.model.name, made.weights)
    return None if weights is None else plans.beside(weights)


def _same_name(plan: Plan, other: Plan) -> bool:
    return presets.slug(plan.data.source) == presets.slug(other.data.source)


def _warn(session: Session, learned: Plan) -> None:
    log.warning(
        "warning: %s: the weights were trained on %s, not on these images; 'tinyseg train %s "
        "--data %s' makes better ones",
        session.path,
        learned.data.source,
        learned.model.name,
        session.plan.data.source,
    )
