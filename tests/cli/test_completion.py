"""What a shell completes: names are listed by nobody but the code."""

import os
import subprocess
import sys

import pytest
from click.shell_completion import ShellComplete

from tinyseg import zoo
from tinyseg.boards.board import board_names
from tinyseg.cli import cli
from tinyseg.plan.keys import keys


def completed(line):
    *words, incomplete = line.split(" ")
    items = ShellComplete(cli, {}, "tinyseg", "_TINYSEG_COMPLETE").get_completions(
        words, incomplete
    )
    return [item.value for item in items if item.type == "plain"]


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("trai", ["train"]),
        ("train attention_unet_ds_", ["attention_unet_ds_mcu", "attention_unet_ds_256k"]),
        ("distill unet lw", ["lw_unet", "lw_unet_256k"]),
        ("fit unet --board nucleo", ["nucleo_h743zi"]),
        ("verify unet --on mps3", ["mps3_an547"]),
        ("train unet --data bu", ["busi"]),
        ("data check dsb", ["dsb2018"]),
        ("quantize unet --set quantization.weight", ["quantization.weight_bits="]),
        ("verify unet --recipe qat", ["qat_wi8_ai8"]),
        ("flash unet --engine tf", ["tflm"]),
    ],
)
def test_what_begins_so_is_offered(line, values):
    assert completed(line) == values


def test_everything_is_offered():
    assert completed("train ") == list(zoo.names())
    assert completed("memory unet --board ") == board_names()
    assert completed("train unet --set ") == [f"{key.name}=" for key in keys()]
    assert "phantom" in completed("train unet --data ")


def test_a_shell_is_answered(tmp_path):
    asked = {
        "_TINYSEG_COMPLETE": "bash_complete", "COMP_WORDS": "tinyseg fit unet --board rp2",
        "COMP_CWORD": "4",
    }  # fmt: skip
    code = "import sys; sys.argv[0] = 'tinyseg'; from tinyseg.cli import main; main()"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, **asked}, text=True,
        capture_output=True, check=False,
    )  # fmt: skip
    assert answer.stdout.splitlines() == ["plain,rp2040_pico", "plain,rp2350_pico2"]
