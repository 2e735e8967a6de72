"""A browser for the pages that tinyseg makes: Debian's Chromium, without a window."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

TOOLS = ("chromium", "chromedriver")


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
