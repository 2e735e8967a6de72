"""An operating point is chosen on validation images, kept by the file, and obeyed by the verbs."""

import contextlib
import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.in_process import tinyseg
from tinyseg import plan as plans
from tinyseg.errors import GateError, InputError
from tinyseg.operating_point import OperatingPoint
from tinyseg.runtime.runner import network_outputs
from tinyseg.scoring.scores import score_outputs
from tinyseg.steps.calibrate import calibrate, parse_wish, store
from tinyseg.steps.evaluate import evaluate
from tinyseg.steps.session import Session
from tinyseg.steps.verify import verify
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.annotate import is_sealed

# Without the plan beside it: its metadata say all.
PUBLISHED = (
    Path(__file__).parents[2] / "models/attention_unet_ds_mcu/phantom/attention_unet_ds_mcu.tflite"
)
SOURCE = "phantom:count=100,size=32"
POINT = OperatingPoint(
    threshold=0.6, blank_below=0.4, share=0.01, relative=0.5, smallest=4, largest_only=True
)


@pytest.fixture(autouse=True)
def folder(tmp_path, own_cache):
    with contextlib.chdir(tmp_path):
        yield tmp_path


@pytest.fixture
def file(folder):
    path = folder / "net.tflite"
    shutil.copy(PUBLISHED, path)
    return path


def test_the_point_chosen_is_kept_and_obeyed(file, folder):
    before = TfliteModel.read(file)
    result = tinyseg(
        "calibrate", file, "--data", SOURCE, "--wish", "most-dice", "-o", folder / "report"
    )
    assert result.returncode == 0, result.stderr
    assert "chosen: " in result.stdout
    assert {path.name for path in (folder / "report").iterdir()} == {
        "calibration.html", "calibration.json", "free_response.png", "presence.png",
    }  # fmt: skip
    found = json.loads((folder / "report/calibration.json").read_text())
    assert found["chosen"]["dice"] >= found["before"]["dice"]
    model = TfliteModel.read(file)
    assert is_sealed(model)
    assert model.checksum() == before.checksum()
    assert model.plan["preprocessing"]["threshold"] == found["chosen"]["point"]["threshold"]

    session = Session.open(file, SOURCE)
    point = OperatingPoint(**found["chosen"]["point"])
    assert session.preprocessing.point == point
    # Scores of the validation images are those that the choice was made by.
    scored = tinyseg("evaluate", file, "--data", SOURCE, "--part", "validation", "--json")
    scores = json.loads(scored.stdout)
    assert scores["dice"] == pytest.approx(found["chosen"]["dice"])
    assert scores["missed_lesions"] == found["chosen"]["missed_lesions"]
    assert scores["false_alarms"] == found["chosen"]["false_alarms"]
    images = session.images.part("validation")
    assert found["images"] == len(images)
    outputs = network_outputs(session.runner(), images.inputs(session.preprocessing))
    assert score_outputs(images, outputs, point)["dice"] == pytest.approx(scores["dice"])


def test_a_plan_beside_the_file_holds_the_point_too(file, folder):
    values = TfliteModel.read(file).plan["preprocessing"]
    plan = plans.from_mapping({"preprocessing": values, "data": {"source": SOURCE}})
    plans.write(plan, folder, file)
    store(Session.open(file), POINT)
    again = plans.beside(file)
    assert again.preprocessing.point == POINT
    assert again.provenance
    assert Session.open(file).preprocessing.point == POINT
    assert Session.open(file).preprocessing.height == plan.preprocessing.height


def test_weights_keep_it_in_their_plan(folder):
    weights = folder / "weights.h5"
    weights.write_bytes(b"weights")
    plans.write(plans.Plan(), folder, weights)
    session = Session.open(weights)
    store(session, POINT)
    stored = plans.beside(weights)
    assert stored.preprocessing.point == POINT
    assert dataclasses.replace(stored.preprocessing, **OperatingPoint().point_values()) == (
        plans.PreprocessingPlan()
    )


def test_no_point_serves_an_impossible_wish(file):
    before = file.read_bytes()
    session = Session.open(file, SOURCE)
    with pytest.MonkeyPatch.context() as patch:
        # All points mark every pixel.
        for name, values in (("_BLANK", (0.0,)), ("_SMALLEST", (0.0,)), ("_THRESHOLDS", (-1.0,))):
            patch.setattr(f"tinyseg.scoring.calibration.{name}", values)
        with pytest.raises(GateError, match=r"the fewest are 100\.0 per 100 healthy images"):
            calibrate(session, "at-most-false-alarms=0")
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    "wish", ["all", "at-most-false-alarms", "at-most-false-alarms=-1", "most-dice=2"]
)
def test_unknown_wishes(wish):
    with pytest.raises(InputError, match=f"--wish {wish}: is none of"):
        parse_wish(wish)


def test_without_validation_images_networks_of_folds_are_asked_for(file):
    source = {"data.source": SOURCE, "data.folds": 3, "data.fold": -1}
    session = Session(plans.override(plans.Plan(), source), file)
    session.plan = dataclasses.replace(
        session.plan,
        preprocessing=plans.PreprocessingPlan(**TfliteModel.read(file).plan["preprocessing"]),
    )
    with pytest.raises(InputError, match="give --fold FILE"):
        calibrate(session, "most-dice")


def test_networks_of_folds_decide_alone_for_one_that_has_no_validation_images(file, folder):
    path = shutil.copy(file, folder / "final.tflite")
    final = Session.open(path, changes={"data.source": SOURCE, "data.folds": 3, "data.fold": -1})
    other = Session.open(file, SOURCE)
    found = calibrate(final, "most-dice", [other], folder / "page")
    images = other.images.part("validation")
    assert found.images == len(images) > 0
    assert Session.open(path).preprocessing.point == found.chosen.point
    maps = network_outputs(other.runner(), images.inputs(other.preprocessing))
    chosen = score_outputs(images, maps, found.chosen.point)
    assert found.chosen.dice == pytest.approx(chosen["dice"])


def test_networks_of_other_folds_decide_too(file, folder):
    other = Session.open(file, SOURCE + ",seed=9")
    found = calibrate(Session.open(file, SOURCE), "no-missed-lesion", [other])
    alone = len(Session.open(file, SOURCE).images.part("validation"))
    assert found.images == alone + len(other.images.part("validation"))
    assert np.isfinite(found.presence.area)


def test_the_mean_with_the_mirror_image_is_kept_and_obeyed(file, folder):
    ends = ("--data", SOURCE, "--wish", "most-dice", "-o", folder / "report", "--json")
    once = json.loads(tinyseg("calibrate", file, *ends).stdout)
    result = tinyseg("calibrate", file, *ends, "--mirrored")
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["chosen"]["point"]["mirrored"]
    assert found["before"] == once["chosen"]
    scored = tinyseg("evaluate", file, "--data", SOURCE, "--part", "validation", "--json")
    assert json.loads(scored.stdout)["dice"] == pytest.approx(found["chosen"]["dice"])
    again = json.loads(tinyseg("calibrate", file, *ends).stdout)
    assert again["before"] == again["chosen"] == found["chosen"]
    assert not json.loads(tinyseg("calibrate", file, *ends, "--once").stdout)["chosen"]["point"][
        "mirrored"
    ]

    store(Session.open(file), dataclasses.replace(POINT, mirrored=True))
    session = Session.open(file, SOURCE)
    assert session.preprocessing.mirrored
    scores = evaluate(session)
    verdict = verify(session, 3)
    assert verdict.bit_exact
    assert verdict.engine_images == len(verdict.images) == scores["images"]
    assert verdict.tflm_images == 3
    assert verdict.scores["int8"]["dice"] == pytest.approx(scores["dice"])
    images = session.images.part("test")
    runner, inputs = session.runner(), images.inputs(session.preprocessing)
    made, turned = (runner.run(runner.input.quantize(one)) for one in (inputs, inputs[:, :, ::-1]))
    mean = np.floor((made.astype(int) + turned[:, :, ::-1] + 1) / 2).astype(np.int8)
    expected = score_outputs(images, runner.output.dequantize(mean), session.preprocessing.point)
    assert expected["dice"] == pytest.approx(scores["dice"])
