"""A browser for the pages that tinyseg makes: Debian's Chromium, without a window."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

TOOLS = ("chromium", "chromedriver")
# Of a phone, a tablet and a desk.
WIDTHS = (390, 800, 1440)
# What sticks out of the page, of what is shown and no box around it scrolls; labels of a drawing
# outside it; pictures that are not there.
_CLIPPED = """
const width = document.documentElement.clientWidth, found = [];
if (document.documentElement.scrollWidth > width + 1)
  found.push("the page is " + document.documentElement.scrollWidth + " wide");
const all = what => document.querySelectorAll(arguments[0] + " " + what);
const overflow = element => getComputedStyle(element).overflowX;
const scrolls = element => element !== document.body &&
  (["auto", "scroll"].includes(overflow(element)) || scrolls(element.parentElement));
for (const element of all("*")) {
  const box = element.getBoundingClientRect();
  if (!box.width || !box.height || scrolls(element)) continue;
  if (box.right > width + 1 || box.left < -1)
    found.push(element.tagName + " " + element.textContent.trim().slice(0, 60));
}
for (const text of all("svg text")) {
  const box = text.getBoundingClientRect(), frame = text.closest("svg").getBoundingClientRect();
  if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 ||
      box.bottom > frame.bottom + 1) found.push("label " + text.textContent);
}
for (const table of all("table"))
  if (table.scrollWidth > table.clientWidth + 1 && !scrolls(table))
    found.push("table " + table.textContent.trim().slice(0, 60));
for (const image of all("img"))
  if (!image.complete || !image.naturalWidth) found.push("picture " + (image.alt || image.src));
return found;
"""


@contextmanager
def chromium(*arguments: str) -> Iterator[Chrome]:
    """Start it with these arguments, and end it."""
    # Slow to load, and every test loads the fixtures that call this.
    from selenium import webdriver

    program, driver = map(shutil.which, TOOLS)
    options = webdriver.ChromeOptions()
    options.binary_location = program or ""
    # Chromium's own sandbox does not work for root, as whom containers run.
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", *arguments):
        options.add_argument(argument)
    browser = webdriver.Chrome(options, webdriver.ChromeService(driver))
    try:
        yield browser
    finally:
        browser.quit()


def visit(browser: Chrome, page: Path, wide: int) -> None:
    """Open a page that is so wide; a window has a least width, the page's own is what counts."""
    size = {"width": wide, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(page.as_uri())


def clipped(browser: Chrome, within: str = "body") -> list[str]:
    """Return what a reader of the open page cannot see, of what this selector holds."""
    return browser.execute_script(_CLIPPED, within)
