"""What installed packages add to tinyseg by entry points: networks, layouts of data, boards."""

from __future__ import annotations

from importlib import metadata
from typing import TypeVar

from tinyseg.errors import InputError

Kind = TypeVar("Kind")


def registered_names(group: str) -> list[str]:
    """Return the sorted names of the entry points of a group; nothing is imported for that."""
    return sorted({entry.name for entry in metadata.entry_points(group=group)})


def registered(group: str, name: str, kind: type[Kind]) -> Kind | None:
    """Import what a package registered; None if no package registered that name.

    Args:
        group: ``tinyseg.networks``, ``tinyseg.layouts`` or ``tinyseg.boards``.
        name: of the entry point.
        kind: class of the object that it has to refer to.

    Raises:
        InputError: it cannot be imported, or is of another class.
    """
    for entry in metadata.entry_points(group=group, name=name):
        where = f"entry point {entry.name} = {entry.value}"
        try:
            found = entry.load()
        # It runs a package of somebody else, which may raise anything.
        except Exception as error:
            raise InputError(
                f"{where}: cannot be imported ({type(error).__name__}: {error}); mend or uninstall "
                "the package"
            ) from None
        if not isinstance(found, kind):
            raise InputError(
                f"{where}: is a {type(found).__name__}, the group {group} takes a {kind.__name__}"
            )
        return found
    return None
