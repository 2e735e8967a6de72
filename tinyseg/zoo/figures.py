"""Size and work of each network at its reference input, stored: listing the networks builds none.

``make figures`` counts them anew.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinyseg import files
from tinyseg.zoo import NETWORKS, Network, network

FILE = Path(__file__).with_name("figures.json")
COUNTS = ("parameters", "trainable_parameters", "macs")


@functools.cache
def stored_counts() -> Mapping[str, Mapping[str, int]]:
    """Return the counts of each network, by name."""
    return files.read_json(FILE)


def describe_network(name: str) -> dict[str, Any]:
    """Describe a network at its reference input.

    One that is not stored is built, which takes seconds.

    Returns:
        ``name``, ``task``, ``input_shape``, ``parameters``, ``trainable_parameters``, ``macs``,
        ``stopped_by``.

    Raises:
        InputError: no such network.
    """
    entry = network(name)
    counts = stored_counts().get(name)
    if counts is None:
        from tinyseg.zoo.summary import summarise_network

        return summarise_network(name)
    return with_counts(name, entry, counts)


def with_counts(name: str, entry: Network, counts: Mapping[str, int]) -> dict[str, Any]:
    """Return what :func:`describe_network` does, for counts that are known."""
    return {
        "name": name,
        "task": entry.task,
        "input_shape": list(entry.input_shape),
        **{key: counts[key] for key in COUNTS},
        "stopped_by": list(entry.stopped_by),
    }


def main() -> None:
    """Build every network and store its counts."""
    from tinyseg.zoo.summary import summarise_network

    rows = {name: summarise_network(name) for name in NETWORKS}
    files.write_json(FILE, {name: {key: row[key] for key in COUNTS} for name, row in rows.items()})


if __name__ == "__main__":
    main()
