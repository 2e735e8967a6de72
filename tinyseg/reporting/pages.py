"""Reports as text: templates, and pictures that stand in the page itself."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, NamedTuple

import jinja2

_KINDS = {".jpg": "jpeg", ".png": "png", ".gif": "gif"}


class Picture(NamedTuple):
    """A picture of a page.

    Attributes:
        name: of the file beside the page.
        caption: what it shows, for those too who do not see it.
        uri: its content, for a page that needs no other file.
    """

    name: str
    caption: str
    uri: str


def render(template: str, **context: Any) -> str:
    """Fill a template of this package; HTML is escaped, and a name that is missing is an error."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tinyseg.reporting"),
        autoescape=jinja2.select_autoescape(["html"]),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(template).render(context)


def with_captions(images: Mapping[str, bytes], captions: Mapping[str, str]) -> list[Picture]:
    """Return pictures with their captions, by file name."""
    return [Picture(name, captions[name], data_uri(name, image)) for name, image in images.items()]


def data_uri(name: str, image: bytes) -> str:
    """Return the content of an image file, whose suffix says its kind, as an address."""
    kind = _KINDS[PurePath(name).suffix]
    return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"
