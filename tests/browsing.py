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
