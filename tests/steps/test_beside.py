"""What is found out of a file beside its verification."""

import logging
import sys

import pytest

from tests import fixtures
from tinyseg.errors import InputError
from tinyseg.profiling import mltk
from tinyseg.steps import beside
from tinyseg.steps.beside import look_at, takes_part
from tinyseg.steps.verdict import fits
from tinyseg.tflite import TfliteModel


@pytest.fixture(scope="module")
def model():
    return TfliteModel.parse(fixtures.quantized(), "net.tflite")


def missing():
    raise InputError("MLTK is missing: run 'make mltk'")


@pytest.mark.parametrize(("asked", "expected"), [(None, True), (True, True), (False, False)])
def test_mltk_takes_part_where_it_is_installed_and_not_refused(asked, expected, monkeypatch):
    monkeypatch.setattr(mltk, "mltk_python", lambda: "python")
    assert takes_part(asked) is expected


def test_mltk_that_is_missing_is_an_error_only_if_it_is_asked_for(monkeypatch, caplog):
    monkeypatch.setattr(mltk, "mltk_python", missing)
    caplog.set_level(logging.WARNING)
    assert takes_part(False) is False
    assert not caplog.messages
    assert takes_part(None) is False
    assert caplog.messages == ["not profiled: MLTK is missing: run 'make mltk'"]
    with pytest.raises(InputError, match="make mltk"):
        takes_part(True)


def test_boards_are_found_after_the_profile_and_the_report_can_be_drawn_at_once(model, monkeypatch):
    record, order = {"layers": []}, []
    monkeypatch.setattr(mltk, "profile", lambda file: order.append(file) or (record, "MLTK's"))
    monkeypatch.setattr(beside, "add_cycles", lambda *given: order.append(given))
    monkeypatch.setattr(beside, "fits", lambda file: order.append("fits") or ["fits: all"])
    monkeypatch.delitem(sys.modules, "tinyseg.reporting.run_report", raising=False)
    assert look_at(model, True) == ((record, "MLTK's"), ["fits: all"])
    assert order == [model, (record, model), "fits"]
    assert "tinyseg.reporting.run_report" in sys.modules


def test_a_file_that_mltk_refuses_has_boards_all_the_same(model, monkeypatch, caplog):
    def refuse(file):
        raise InputError(f"{file.path}: MLTK cannot profile it (no kernel)")

    monkeypatch.setattr(mltk, "profile", refuse)
    caplog.set_level(logging.WARNING)
    assert look_at(model, True) == ((None, None), fits(model))
    (line,) = caplog.messages
    assert line.startswith("net.tflite: MLTK cannot profile it (no kernel); the report goes")


def test_without_mltk_there_are_boards_alone(model, monkeypatch):
    monkeypatch.setattr(mltk, "profile", lambda file: pytest.fail("it does not take part"))
    assert look_at(model, False) == ((None, None), fits(model))
