"""The documented example is the code as it stands."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_example_is_the_real_diff():
    text = (ROOT / "docs/adding_a_network.md").read_text()
    (diff,) = re.findall(r"```diff\n(.*?)```", text, re.DOTALL)
    parts = re.split(r"^--- .*\n\+\+\+ b/(.*)\n", diff, flags=re.MULTILINE)[1:]
    added = {
        path: "".join(line[1:] + "\n" for line in body.splitlines() if line.startswith("+"))
        for path, body in zip(parts[::2], parts[1::2], strict=True)
    }
    assert len(added) == 3
    for path, lines in added.items():
        assert lines in (ROOT / path).read_text(), path
    new_file = list(added)[-1]
    assert added[new_file] == (ROOT / new_file).read_text()
