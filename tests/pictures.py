"""Draw the pictures of the first page: a command's output, and the demo page.

    make pictures

Each is of a real run on this machine; the names of the networks are those that the README shows.
"""

from __future__ import annotations

import base64
import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.browsing import chromium

DOCS = Path(__file__).parents[1] / "docs"
COLUMNS = 100
WINDOW = ("--hide-scrollbars", "--window-size=1000,900")
NETWORK = "attention_unet_ds_256k"
# Name of the picture and what is run for it.
COMMANDS = {
    "emulate": ("emulate", NETWORK, "--board", "mps2_an500", "--images", "2"),
    "verify": ("verify", NETWORK),
    "fit": ("fit", NETWORK, "--board", "nucleo_h743zi"),
}
INK, PAPER = (36, 41, 47), (250, 250, 250)
COLOURS = [INK, (176, 42, 48), (27, 110, 60), (140, 98, 0), (9, 88, 170), (120, 60, 150),
           (20, 110, 120), (90, 96, 104)]  # fmt: skip
THEME = TerminalTheme(PAPER, INK, COLOURS)
# As rich draws it, with letters that are there instead of some that are fetched.
SVG = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, "DejaVu Sans Mono", monospace;
font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<defs>{lines}</defs>
<rect fill="#fafafa" width="100%" height="100%" rx="8"/>
<g transform="translate({terminal_x}, {terminal_y})">
{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g>
</svg>
"""
# Whether the three pictures of the demo page are there.
_DRAWN = """const found = [...document.querySelectorAll("#masks img")];
return found.length > 2 && found.every(image => image.complete && image.naturalWidth > 0);"""


def main() -> None:
    """Draw all of them."""
    for name, arguments in COMMANDS.items():
        (DOCS / f"{name}.svg").write_text(terminal(arguments))
    demo_page(DOCS / "demo.jpg")


def terminal(arguments: tuple[str, ...]) -> str:
    """Run a command and return what it prints as a drawing of a terminal (SVG)."""
    ran = subprocess.run(
        [sys.executable, "-m", "tinyseg", *arguments],
        stdout=subprocess.PIPE, text=True, check=False,
        env={**os.environ, "FORCE_COLOR": "1", "COLUMNS": str(COLUMNS)},
    )  # fmt: skip
    if ran.returncode > 1:
        raise SystemExit(ran.returncode)
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text(f"$ tinyseg {' '.join(arguments)}", "bold"))
    for line in ran.stdout.replace(f"{DOCS.parent}/", "").rstrip().splitlines():
        console.print(Text.from_ansi(line.rstrip()))
    return console.export_svg(theme=THEME, code_format=SVG, unique_id="shot")


def demo_page(path: Path) -> None:
    """Write a picture (JPEG) of the demo page with an image that the person chose."""
    with _server() as address, chromium(*WINDOW) as browser:
        browser.get(address)
        browser.find_elements(By.CSS_SELECTOR, "#samples img")[0].click()
        WebDriverWait(browser, 60).until(lambda page: page.execute_script(_DRAWN))
        size = browser.execute_script("return [innerWidth, document.documentElement.scrollHeight]")
        clip = {"x": 0, "y": 0, "width": size[0], "height": size[1] + 16, "scale": 1}
        shot = browser.execute_cdp_cmd(
            "Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip}
        )
        picture = Image.open(io.BytesIO(base64.b64decode(shot["data"])))
    picture.convert("RGB").save(path, quality=88)


@contextmanager
def _server() -> Iterator[str]:
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "tinyseg", "demo", NETWORK, "--port", "0"],
        stdout=subprocess.PIPE, text=True,
    ) as server:  # fmt: skip
        try:
            assert server.stdout is not None
            yield server.stdout.readline().split()[0]
        finally:
            server.send_signal(signal.SIGINT)


if __name__ == "__main__":
    main()
