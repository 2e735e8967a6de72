"""A hand-made run, and an example of its images."""

import copy

import numpy as np
import pytest

from tinyseg.reporting.pictures import Example

SCORES = {
    "dice": 0.91234, "iou": 0.85, "precision": 0.9, "recall": 0.95, "specificity": 0.99,
    "pixel_accuracy": 0.98,
}  # fmt: skip
LAYER = {
    "index": 0, "opcode": "conv_2d", "layer": "encoder1_conv1", "ops": 30, "macs": 12,
    "cycles": None, "estimate": "none", "energy_j": None, "time_s": None, "inputs": "1x8x8x3",
    "outputs": "1x8x8x4", "options": "", "supported": True,
    "bound_cycles": {"cortex_m33": 6, "cortex_m55": 2},
}  # fmt: skip


@pytest.fixture
def run():
    scores = {**SCORES, "pooled": SCORES, "images": 3, "kernels": "some kernels"}
    check = {
        "ok": True, "arena_bytes": 123_456, "bit_exact": True, "unsupported_ops": [],
        "dice": {"float": 0.91, "int8": 0.9, "tflm": 0.9},
        "iou": {"float": 0.8, "int8": 0.8, "tflm": 0.8},
        "failures": [], "warnings": ["tensor <b>3</b>: odd"], "images": ["a", "b"],
        "engine_images": 2, "tflm_images": 2,
        "sqnr": [{"operator": 0, "opcode": "CONV_2D", "layer": "encoder1_conv1", "sqnr_db": 31.25}],
        "device": None,
    }  # fmt: skip
    profile = {
        "ram_bytes": 100_000, "macs": 36, "ops": 90, "cycles": None, "unsupported_layers": 0,
        "operators": 3, "layers": [
            LAYER,
            {**LAYER, "index": 1, "cycles": 10, "estimate": "mltk"},
            {**LAYER, "index": 2, "cycles": 3, "estimate": "implausible"},
        ],
        "bound_cycles": {"cortex_m33": 18, "cortex_m55": 6},
    }  # fmt: skip
    return copy.deepcopy(
        {
            "model": {
                "name": "attention_unet_ds", "arguments": {}, "input_shape": [8, 8, 3],
                "parameters": 1234, "macs": 36,
            },
            "data": {
                "name": "phantom", "fingerprint": "f" * 64, "images": 20, "labels": {"benign": 20},
                "train": 14, "validation": 3, "test": 3,
            },
            "weights": {"file": "weights.h5", "trained_on": "phantom", "same_data": True},
            "task": "segmentation",
            "recipe": "static_wi8_ai8", "io": "integer", "file": "attention_unet_ds.tflite",
            "file_bytes": 54_321, "file_sha256": "a" * 64,
            "test": {"float": scores, "integer": scores},
            "test_images": [{"name": "a (1)", "float": 1.0, "integer": 0.0}],
            "verification": check, "profile": profile, "failures": [],
            "provenance": {"tinyseg": "0"},
        }
    )  # fmt: skip


@pytest.fixture
def examples():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (8, 8, 3), np.uint8)
    mask = np.zeros((8, 8), bool)
    mask[2:5, 3:6] = True
    return [Example("a (1)", image, mask, mask, ~mask, 1.0, 0.0)]
