"""The largest published network with weights of 5 bits, on 2 MB of flash and 1 MB of RAM."""

import contextlib

import pytest

from tinyseg.steps.convert import to_integers
from tinyseg.steps.firmware import make_firmware
from tinyseg.steps.session import Session

CHANGES = {
    "quantization.recipe": "static_wi8_ai8",
    "quantization.weight_bits": 5,
    "quantization.lower": "none",
}


@pytest.mark.slow
@pytest.mark.arm
def test_it_fits(tmp_path):
    session = Session.to_quantize("attention_unet_ds", "phantom", CHANGES)
    content, _ = to_integers(
        session.float_network, session.plan, session.images.calibration(session.plan)
    )
    path = tmp_path / "five.tflite"
    path.write_bytes(content)
    with contextlib.chdir(tmp_path):
        made = make_firmware(Session.open_file(str(path)), "nucleo_h743zi")
    # TFLM's file alone is about as large as the flash, and its arena 13 times the RAM.
    assert made.footprint.flash < 2 << 20
    assert made.footprint.model < len(content)
    used = {usage.region: usage for usage in made.footprint.regions}
    assert all(usage.used <= usage.length for usage in used.values())
    memories = ("AXISRAM", "SRAM123", "DTCM", "ITCM", "SRAM4")
    assert all(used[name].used > 0 for name in memories)
    assert made.arena.size < 800_000
