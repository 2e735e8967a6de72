"""What a shell may complete: names of networks, boards and data, and keys of a plan."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import click
from click.shell_completion import CompletionItem
from click.types import StringParamType

Known = Callable[[], Iterable[str]]


class Names(StringParamType):
    """Text that is taken as it is; a shell completes it from what is known.

    Args:
        known: the names; they are listed only when a shell asks.
        files: whether a file will do as well.
    """

    def __init__(self, known: Known, files: bool = False) -> None:
        self._known, self._files = known, files

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the names that go on so, and word to the shell that files will do."""
        found = [CompletionItem(name) for name in self._known() if name.startswith(incomplete)]
        return found + [CompletionItem(incomplete, type="file")] * self._files


def _networks() -> Iterable[str]:
    from tinyseg import zoo

    return zoo.names()


def _boards() -> Iterable[str]:
    from tinyseg.boards.board import board_names

    return board_names()


def _data() -> Iterable[str]:
    from tinyseg.data import names

    return names()


def _settings() -> Iterable[str]:
    from tinyseg.plan.keys import keys

    return [f"{key.name}=" for key in keys()]


def _recipes() -> Iterable[str]:
    return ("static_wi8_ai8", "static_wi8_ai16", "qat_wi8_ai8")


def _sources() -> Iterable[str]:
    from tinyseg.data.catalogue import SOURCES

    return SOURCES


_NETWORKS, _DATA = Names(_networks, files=True), Names(_data, files=True)
# By the names of parameters, which mean the same in every verb.
_TYPES = {
    **dict.fromkeys(("model", "model_or_file", "file", "teacher", "steps"), _NETWORKS),
    **dict.fromkeys(("student", "names"), Names(_networks)),
    **dict.fromkeys(("data", "source", "path"), _DATA),
    "name": Names(_sources),
    "board": Names(_boards),
    "settings": Names(_settings),
    "recipe": Names(_recipes),
    **dict.fromkeys(("weights", "plan_file", "split"), Names(tuple, files=True)),
}


def complete(group: click.Group) -> None:
    """Let a shell complete what the verbs of a group take."""
    for parameter in _parameters(group):
        if parameter.type is click.STRING and parameter.name in _TYPES:
            parameter.type = _TYPES[parameter.name]


def _parameters(group: click.Group) -> Iterator[click.Parameter]:
    for command in group.commands.values():
        if isinstance(command, click.Group):
            yield from _parameters(command)
        yield from command.params
