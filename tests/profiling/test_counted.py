"""Files that MLTK does not run: their work by formula, their memory as TFLM takes it."""

import json

import numpy as np
import pytest

from tests import foreign_files
from tests.fixtures import Draft, one_operator
from tests.foreign_files import content_of
from tests.in_process import tinyseg
from tinyseg.profiling import mltk
from tinyseg.profiling.counted import profile_by_count
from tinyseg.runtime import tflm
from tinyseg.tflite import TfliteModel


def test_work_and_memory_without_mltk():
    drafts = [Draft((1, 3, 5, 2)), Draft((4, 1, 1, 2), "int8", np.ones((4, 1, 1, 2), np.int8))]
    content = one_operator("CONV_2D", drafts, Draft((1, 3, 5, 4)))
    record, report = profile_by_count(TfliteModel.parse(content, "one.tflite"), "one.tflite: no")
    # Two operations a MAC, and one a value for the bias, as MLTK counts.
    assert (record["macs"], record["ops"]) == (3 * 5 * 4 * 2, 2 * 3 * 5 * 4 * 2 + 3 * 5 * 4)
    assert (record["input_shape"], record["output_shape"]) == ("1x3x5x2", "1x3x5x4")
    assert record["layers"][0]["inputs"] == "1x3x5x2,4x1x1x2"
    assert record["flash_bytes"] == len(content)
    assert (record["cycles"], record["mltk_version"]) == (None, None)
    assert report.startswith("one.tflite: no.\n")
    assert "   0 conv_2d " in report


@pytest.fixture
def broken_mltk(tmp_path, monkeypatch):
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho oops >&2\nexit 139\n")
    program.chmod(0o755)
    monkeypatch.setenv("TINYSEG_MLTK_PYTHON", str(program))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_lstm_is_profiled_where_mltk_crashes(broken_mltk, caplog):
    content = content_of(foreign_files.lstm)
    (broken_mltk / "lstm.tflite").write_bytes(content)
    result = tinyseg("profile", "lstm.tflite", "--json")
    assert result.returncode == 0, result.stderr
    assert caplog.messages[-1].startswith(
        "warning: lstm.tflite: MLTK cannot profile it (oops); tinyseg counts"
    )
    record, model = json.loads(result.stdout), TfliteModel.parse(content)
    assert record["ram_bytes"] == tflm.measured(model).total
    assert record["operators"] == len(model.operators)
    assert tinyseg("profile", "lstm.tflite").returncode == 0
    with pytest.raises(mltk.RefusedError):
        mltk.profile(model)
