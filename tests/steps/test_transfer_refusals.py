"""Distillation and binarization that cannot be end in one line."""

import shutil

import pytest

from tests.commands import assert_bad_input, tinyseg
from tests.steps.transfer import SOURCE, run

BAD = {
    "unknown student": (["distill", "unet", "nonet"], ["nonet", "lw_unet"]),
    "unknown teacher": (["distill", "nonet", "lw_unet"], ["nonet"]),
    "no teacher": (["distill", "attention_unet", "lw_unet"], ["attention_unet", "weights"]),
    "no weights": (["distill", "no.h5", "lw_unet"], ["no.h5"]),
    "other classes": (
        ["distill", "unet", "lw_unet", "--set", "model.arguments.classes=2"],
        ["1 classes", "model.arguments.classes"],
    ),
    "other size": (
        ["distill", "unet", "lw_unet", "--set", "preprocessing.height=64"],
        ["32x32x1", "64x32x1"],
    ),
    "resolution": (
        ["distill", "unet", "lw_unet", "--set", "distillation.hints={encoder1_conv1: "
         "bottleneck_conv1}"],
        ["encoder1_conv1", "same resolution"],
    ),
    "no such layer": (
        ["distill", "unet", "lw_unet", "--set", "distillation.hints={nowhere: encoder1_conv1}"],
        ["nowhere", "distillation.hints"],
    ),
    "method": (["distill", "unet", "lw_unet", "--method", "magic"], ["magic"]),
    "method in plan": (
        ["distill", "unet", "lw_unet", "--set", "distillation.method=magic"],
        ["distillation.method", "magic"],
    ),
    "no levels": (
        ["binarize", "lw_unet", "--set", "model.arguments.conv_levels=0"],
        ["encoder1_conv1", "at least 1"],
    ),
    "not binarized": (["binarize", "lw_unet", "--target", "unet"], ["unet", "blu_net"]),
    "unknown target": (["binarize", "lw_unet", "--target", "nonet"], ["nonet"]),
    "no counterpart": (
        ["binarize", "lw_unet", "--set", "model.arguments.depth=2"],
        ["encoder2_conv1", "no such layer"],
    ),
    "width": (
        ["binarize", "lw_unet", "--set", "model.arguments.base_width=8"],
        ["encoder1_conv1", "base width"],
    ),
    "ordinary source": (["binarize", "unet"], ["bottleneck_conv1", "unet"]),
    "one bit": (["quantize", "lw_unet", "--weights-bits", 1], ["--weights-bits", "1"]),
    "nine bits": (["quantize", "lw_unet", "--weights-bits", 9], ["--weights-bits", "9"]),
    "bits in plan": (
        ["quantize", "lw_unet", "--no-profile", "--set", "quantization.weight_bits=1"],
        ["quantization.weight_bits", "1"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_ends_in_one_line(home, case, tmp_path):
    arguments, words = BAD[case]
    places = ["--data", SOURCE, "-o", tmp_path / "out"]
    result = run(*arguments, *places, cwd=home)
    assert_bad_input(result, *words)
    assert not list(tmp_path.glob("out/*.h5"))


def test_bad_input_in_a_process_of_its_own(home):
    shutil.rmtree(home / "elsewhere", ignore_errors=True)
    assert_bad_input(
        tinyseg("distill", "unet", "lw_unet", "--data", SOURCE, "-o", "elsewhere",
                "--set", "model.arguments.classes=2", cwd=home),
        "classes",
    )  # fmt: skip
    assert not (home / "elsewhere").exists()
