"""The README is the site's first page; the command line's page is what its help says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from tinyseg.cli import cli

_ROOT = Path(__file__).parents[1]
_LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?!https?:|#)(?P<target>[^)]+)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the README as the first page, with the pictures that it shows."""
    readme = (_ROOT / "README.md").read_text()
    for link in _LINK.finditer(readme):
        if link["image"]:
            files.append(
                File.generated(config, link["target"], abs_src_path=_ROOT / link["target"])
            )
    page = _LINK.sub(_from_root, readme)
    files.append(File.generated(config, "index.md", content=page))
    files.append(File.generated(config, "cli.md", content="\n".join(_command_line())))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Leave only the text of links to files of the repository that are no pages."""
    if page.file.src_uri == "index.md":
        return markdown
    return _LINK.sub(
        lambda link: link["text"] if link["target"].startswith("../") else link[0], markdown
    )


def _command_line() -> Iterator[str]:
    """Write the help of every verb as it is shown on a terminal."""
    yield "# Command line\n\nWhat `tinyseg VERB --help` says.\n"
    pending: list[tuple[str, click.Command, click.Context | None]] = [("tinyseg", cli, None)]
    while pending:
        name, command, parent = pending.pop(0)
        settings = {**command.context_settings, "max_content_width": 100}
        context = click.Context(command, info_name=name, parent=parent, **settings)
        yield f"## {context.command_path}\n\n```\n{command.get_help(context)}\n```\n"
        if isinstance(command, click.Group):
            verbs = command.list_commands(context)
            pending[:0] = [(verb, command.commands[verb], context) for verb in verbs]


def _from_root(link: re.Match[str]) -> str:
    """Turn a link of the README into one of the site."""
    if link["image"]:
        return link[0]
    if link["target"].startswith("docs/"):
        return f"[{link['text']}]({link['target'].removeprefix('docs/')})"
    return link["text"]
