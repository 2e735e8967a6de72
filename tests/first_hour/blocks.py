"""The code blocks of the README and of the documentation, as a newcomer reads them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "CONTRIBUTING.md", *sorted(f"docs/{p.name}" for p in ROOT.glob("docs/*.md"))]
# A block that is only read begins with this comment, which says why.
MARK = "# Not run by the tests: "
_BLOCK = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```", re.M | re.S)


class Block(NamedTuple):
    """A fenced block.

    Attributes:
        page, line: where it stands.
        language: as the page says.
        text: what is in it.
    """

    page: str
    line: int
    language: str
    text: str

    @property
    def reason(self) -> str:
        """Why it is not run; empty if it is."""
        first = self.text.partition("\n")[0]
        return first.removeprefix(MARK) if first.startswith(MARK) else ""

    @property
    def name(self) -> str:
        """Where it stands, for people."""
        return f"{self.page}:{self.line}"


def blocks(language: str) -> list[Block]:
    """Return the blocks of a language, page by page."""
    found = []
    for page in PAGES:
        text = (ROOT / page).read_text()
        for match in _BLOCK.finditer(text):
            line = text[: match.start()].count("\n") + 1
            found.append(Block(page, line, match[1], match[2]))
    return [block for block in found if block.language == language]


def commands(block: Block) -> list[list[str]]:
    """Return the words of each command of a shell block; continued lines are joined."""
    joined = block.text.replace("\\\n", " ")
    found: list[list[str]] = []
    for line in joined.splitlines():
        words = shlex.split(line, comments=True)
        while "&&" in words:
            found.append(words[: words.index("&&")])
            words = words[words.index("&&") + 1 :]
        found.append(words)
    return [words for words in found if words]
