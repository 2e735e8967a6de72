"""The README is the first page; those of commands, Python and plans are what the code says."""

from __future__ import annotations

import base64
import inspect
import json
import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import tinyseg
from tinyseg.cli import cli
from tinyseg.plan.keys import keys

_ROOT = Path(__file__).parents[1]
_LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?!https?:|#)(?P<target>[^)]+)\)")

_SECTION = re.compile(r"^(Example|Args|Returns|Raises):\n", re.M)
_ITEM = re.compile(r"^(\w+): (.*?)(?=^\w+: |\Z)", re.M | re.S)
_MARK = re.compile(r"(?::\w+:`|``)(?:~)?([^`]+)``?")


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
    files.append(File.generated(config, "plan_keys.md", content="\n".join(_plan())))
    files.append(File.generated(config, "api.md", content="\n".join(_python())))
    for path in sorted((_ROOT / "notebooks").glob("*.ipynb")):
        page, pictures = notebook_page(json.loads(path.read_text()), path.stem)
        files.append(File.generated(config, f"notebooks/{path.stem}.md", content=page))
        for name, picture in pictures.items():
            files.append(File.generated(config, f"notebooks/{name}", content=picture))
    return files


def notebook_page(notebook: dict[str, Any], stem: str) -> tuple[str, dict[str, bytes]]:
    """Return a notebook as Markdown, with what its cells printed, and its pictures by name."""
    parts: list[str] = []
    pictures: dict[str, bytes] = {}
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
        elif cell["cell_type"] == "code":
            shell = source.startswith("%%bash\n")
            language = "sh" if shell else "python"
            parts.append(f"```{language}\n{source.removeprefix('%%bash').strip()}\n```")
        for output in cell.get("outputs", []):
            parts.append(_shown(output, stem, pictures))
    return "\n\n".join(part for part in parts if part) + "\n", pictures


def _shown(output: dict[str, Any], stem: str, pictures: dict[str, bytes]) -> str:
    """Return one output of a cell as Markdown; a picture joins the others."""
    data = output.get("data", {})
    for kind in ("jpeg", "png"):
        if content := data.get(f"image/{kind}"):
            name = f"{stem}_{len(pictures) + 1}.{kind}"
            pictures[name] = base64.b64decode("".join(content))
            return f"![What the cell above draws]({name})"
    if "text/markdown" in data:
        return "".join(data["text/markdown"])
    text = "".join(output.get("text", data.get("text/plain", ""))).rstrip()
    return f"```text\n{text}\n```" if text else ""


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


def _plan() -> Iterator[str]:
    """Write a table of every key of a plan for each of its parts."""
    yield (
        "# Every key of a plan\n\n`--set KEY=VALUE` changes one of them, a YAML file given with "
        "`--plan` any of them; `--dry-run` prints what came of it. Values are YAML: "
        "`--set model.arguments.base_width=8`, `--set 'data.fractions=[0.8, 0.1, 0.1]'`. The "
        "arguments of a network stand in the [README](index.md#networks).\n"
    )
    part = None
    for key in keys():
        found, _, name = key.name.rpartition(".")
        if found != part:
            part = found
            title = f"`{part}`" if part else "The whole"
            yield f"\n## {title}\n\n| key | default | takes | meaning |\n| --- | --- | --- | --- |"
        meaning = _plain(key.meaning).replace("|", "\\|")
        shown = "" if key.default in ("", (), {}) else f"`{_yaml(key.default)}`"
        yield f"| `{name}` | {shown} | {key.takes} | {meaning} |"


def _yaml(value: object) -> str:
    """Write a default as ``--set`` takes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(_yaml, value))}]"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _python() -> Iterator[str]:
    """Write the docstrings of what ``import tinyseg`` offers."""
    yield (
        "# Python\n\nWhat `import tinyseg` offers. The examples run in the tests, as one session "
        "from the first to the last. What cannot be done raises `tinyseg.errors.InputError`, one "
        "line that names the cure.\n"
    )
    for name in ("build", "load", "quantize", "Quantized"):
        offered = getattr(tinyseg, name)
        yield f"## tinyseg.{name}\n"
        yield from _documented(offered, name if inspect.isfunction(offered) else "")
        if inspect.isclass(offered):
            for member, value in vars(offered).items():
                if not member.startswith("_"):
                    yield f"### {name}.{member}\n"
                    yield from _documented(value, member if inspect.isfunction(value) else "")


def _documented(offered: Callable[..., object], name: str) -> Iterator[str]:
    """Write one docstring; with the call in front if ``name`` says what is called."""
    if name:
        signature = inspect.signature(offered)
        bare = [
            parameter.replace(annotation=inspect.Parameter.empty)
            for key, parameter in signature.parameters.items()
            if key != "self"
        ]
        call = signature.replace(parameters=bare, return_annotation=inspect.Signature.empty)
        yield f"```python\n{name}{call}\n```\n"
    text, *sections = _SECTION.split(inspect.getdoc(offered))
    yield f"{_plain(text)}\n"
    for title, body in zip(sections[::2], sections[1::2], strict=True):
        body = textwrap.dedent(body).strip()
        if title == "Example":
            yield f"```pycon\n{body}\n```\n"
        elif title == "Returns":
            yield f"**Returns** {_plain(body)}\n"
        else:
            items = [f"* `{item[1]}`: {_plain(item[2])}" for item in _ITEM.finditer(body)]
            yield "\n".join([f"**{title}**\n", *items, ""])


def _plain(text: str) -> str:
    """Turn reStructuredText's marks into those of Markdown."""
    return _MARK.sub(r"`\1`", text).strip()


def _from_root(link: re.Match[str]) -> str:
    """Turn a link of the README into one of the site."""
    if link["image"]:
        return link[0]
    if link["target"].startswith("docs/"):
        return f"[{link['text']}]({link['target'].removeprefix('docs/')})"
    return link["text"]
