"""Where results go: folders here, and URLs only where a verb uploads what it writes."""

import click
import pytest

from tinyseg.cli import cli
from tinyseg.errors import InputError

URL = "s3://bucket/run"
TAKES_URLS = {"train"}


def outputs(group, path=()):
    """Each verb with its option for results."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from outputs(command, (*path, name))
            continue
        for parameter in command.params:
            if "--output" in parameter.opts:
                yield " ".join((*path, name)), parameter


OUTPUTS = dict(outputs(cli))


@pytest.mark.parametrize("verb", OUTPUTS)
def test_a_url_is_uploaded_to_or_refused(verb):
    kind = OUTPUTS[verb].type
    if verb in TAKES_URLS:
        assert kind.convert(URL, None, None) == URL
        return
    with pytest.raises(InputError, match=f"{URL}: results of this verb go to a folder here"):
        kind.convert(URL, None, None)


def test_verbs_that_write_runs_are_among_them():
    assert {"train", "distill", "binarize", "tune", "slurm", "quantize"} <= set(OUTPUTS)
