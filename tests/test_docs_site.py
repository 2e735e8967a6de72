"""The documentation's pages in a browser: nothing is clipped on a phone, a tablet or a desk."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.browsing import WIDTHS, clipped, visit

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True)
    return folder


@pytest.mark.parametrize("wide", WIDTHS)
def test_nothing_is_clipped(wide, site, browser):
    found = {}
    for page in sorted(site.rglob("*.html")):
        visit(browser, page, wide)
        if lost := clipped(browser, "article"):
            found[str(page.relative_to(site))] = lost
    assert not found
    assert any(site.rglob("*.html"))
