"""The documentation's pages in a browser: nothing is clipped on a phone, a tablet or a desk."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.browsing import WIDTHS, visit

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
# What sticks out of the page, if it cannot be scrolled to; and pictures that are not there.
CLIPPED = """
const width = document.documentElement.clientWidth, found = [];
if (document.documentElement.scrollWidth > width + 1)
  found.push("the page is " + document.documentElement.scrollWidth + " wide");
const scrolls = element => element !== document.body &&
  (["auto", "scroll"].includes(getComputedStyle(element).overflowX) ||
   scrolls(element.parentElement));
for (const element of document.querySelectorAll("article *")) {
  const box = element.getBoundingClientRect();
  if (!box.width || !box.height || scrolls(element)) continue;
  if (box.right > width + 1 || box.left < -1)
    found.push(element.tagName + " " + element.textContent.trim().slice(0, 60));
}
for (const image of document.querySelectorAll("article img"))
  if (!image.complete || !image.naturalWidth) found.push("picture " + image.src);
return found;
"""


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
        if clipped := browser.execute_script(CLIPPED):
            found[str(page.relative_to(site))] = clipped
    assert not found
    assert any(site.rglob("*.html"))
