"""Files that missed a gate are marked, and no verb that would put them to use takes them."""

import pytest

from tests import fixtures
from tinyseg import presets
from tinyseg.errors import InputError
from tinyseg.steps import firmware, marks
from tinyseg.steps.fit_board import Limits, fit_board
from tinyseg.steps.lower import lower
from tinyseg.steps.predict import predict
from tinyseg.steps.session import Session
from tinyseg.tflite import TfliteModel

LINE = "net.tflite: Dice falls by 0.2000"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "net.tflite"
    path.write_bytes(fixtures.quantized())
    return path


def test_a_mark_is_of_one_file(file):
    assert marks.missed_by(file) == []
    marks.mark(file, [LINE])
    assert marks.missed_by(file) == [LINE]
    (file.parent / "other.tflite").write_bytes(file.read_bytes())
    assert marks.missed_by(file.parent / "other.tflite") == []
    file.write_bytes(fixtures.quantized(base_width=8))
    assert marks.missed_by(file) == []


def test_who_passes_loses_the_mark(file):
    marks.mark(file, [LINE])
    marks.mark(file, [])
    assert marks.missed_by(file) == []
    marks.mark(file, [])
    marks.need_passed(file)


def test_a_bar_is_offered_where_there_is_one(file):
    marks.mark(file, [f"{file}: it finds nothing: Dice 0.0000; train it longer"])
    with pytest.raises(
        InputError, match=r"train it longer\); quantize it anew once that is mended$"
    ):
        marks.need_passed(file)


def test_verbs_that_use_a_file_refuse_it(file, tmp_path):
    marks.mark(file, [f"{file}: Dice falls by 0.2000"])
    session, model = Session.open(file), TfliteModel.read(file)
    uses = [
        lambda: firmware.export_c(session, tmp_path / "c"),
        lambda: firmware.make_firmware(session, "mps2_an500"),
        lambda: predict(session, [tmp_path / "image.png"], tmp_path / "masks"),
        lambda: lower(model, tmp_path / "lowered.tflite"),
        lambda: fit_board(str(file), Limits("nucleo_h743zi"), folder=tmp_path / "fit"),
    ]
    for use in uses:
        with pytest.raises(InputError) as caught:
            use()
        told = str(caught.value)
        assert told.startswith(f"{file}: did not pass 'tinyseg quantize' (Dice falls by 0.2000); ")
        assert "--max-drop" in told
    assert {path.name for path in tmp_path.iterdir()} == {"net.tflite", marks.FILE_NAME}
    assert not (presets.BUILD / "lowered" / "net.tflite").exists()
