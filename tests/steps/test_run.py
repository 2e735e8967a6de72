"""A typed run writes the figures that reports and published models have always held."""

import json
from pathlib import Path

import pytest

from tinyseg.steps.run import (
    BinaryForm,
    DataFacts,
    HeldOut,
    NetworkFacts,
    Packing,
    Run,
    WeightsFacts,
)
from tinyseg.verification.gates import Gate, Missed
from tinyseg.verification.verify import Verification

PUBLISHED = sorted((Path(__file__).parents[2] / "models").glob("*/*/results.json"))


def verdict(*missed):
    scores = {name: {"dice": 0.5, "iou": 0.4} for name in ("float", "int8", "tflm")}
    return Verification(
        missed, None, "int8", True, 0, (), (), "segmentation", scores, (), ("a",), 1, 1, {}
    )


def run(missed=(), packing=None, xnor=None):
    return Run(
        folder=Path("build/net"),
        model=NetworkFacts("net", {"base_width": 4}, [8, 8, 1], 12, 34),
        task="segmentation",
        data=DataFacts("phantom", "f", 10, {"": 10}, 7, 2, 1),
        weights=WeightsFacts("weights.h5", "phantom", same_data=True),
        recipe="static_wi8_ai8",
        io="integer",
        file="net.tflite",
        file_bytes=5,
        file_sha256="a",
        test=HeldOut({"dice": 0.5}, {"dice": 0.4}, {"dice": 0.0}),
        test_images=[{"name": "a", "float": 0.5, "integer": 0.4}],
        simulation_agreement=None,
        packing=packing,
        verification=verdict(*missed),
        xnor=xnor,
        profile=None,
        missed=missed,
        provenance={"tinyseg": "0"},
    )


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: f"{path.parts[-3]}-{path.parts[-2]}")
def test_keys_are_those_of_published_results(path):
    stored, made = json.loads(path.read_text()), run().as_dict()
    del stored["boards"]  # Is added when a run is published.
    # Older ones lack the score of each image, the operating point, and what watched the training.
    assert list(stored) == [key for key in made if key in stored]
    assert set(made) - set(stored) <= {"test_images", "operating_point", "watched"}
    for part in ("model", "data", "weights", "test", "verification"):
        assert list(stored[part]) == [key for key in made[part] if key in stored[part]]
    # Older ones lack what the engine added, who ran what, and both kinds of images.
    added = {"device", "type", "engine_images", "tflm_images"}
    added |= {"lesion_images", "healthy_images", "lesion_dice", "missed_lesions", "false_alarms"}
    assert set(made["verification"]) - set(stored["verification"]) <= added
    assert made == json.loads(json.dumps(made))


def test_missed_gates_are_lines_in_the_file():
    missed = (Missed(Gate.SCORE, "net.tflite: Dice falls by 0.2"),)
    made = run(missed)
    assert made.failures == made.as_dict()["failures"] == ["net.tflite: Dice falls by 0.2"]
    assert made.verification.misses(Gate.SCORE)
    assert not made.verification.misses(Gate.BYTES)
    assert not made.verification.ok
    assert run().verification.ok
    assert made.path == Path("build/net/net.tflite")


def test_packed_and_second_file():
    gate = Missed(Gate.BINARY, "net_xnor.tflite: differs")
    second = BinaryForm("net_xnor.tflite", 3, ["conv"], 0.9, {"dice": 0.1}, None, (gate,))
    made = run(packing=Packing(9, {"kernel": 3}), xnor=second).as_dict()
    assert made["packing"] == {"unpacked_bytes": 9, "bits": {"kernel": 3}}
    assert made["xnor"] == {
        "file": "net_xnor.tflite", "file_bytes": 3, "replaced": ["conv"], "mask_agreement": 0.9,
        "scores": {"dice": 0.1}, "device": None, "failures": ["net_xnor.tflite: differs"],
    }  # fmt: skip
