"""Every module that faults are put into is there, and has tests that mirror it."""

from pathlib import Path

import pytest

from tests.mutants.modules import CPP, PYTHON, mirror, python_modules

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("pattern", PYTHON + CPP)
def test_patterns_match(pattern):
    assert list(ROOT.glob(pattern))


@pytest.mark.parametrize("module", python_modules(ROOT), ids=str)
def test_modules_have_tests(module):
    tests = mirror(module, ROOT)
    assert tests
    assert all((ROOT / test).is_file() for test in tests)


def test_tests_are_of_the_module_whose_name_fits_best():
    quantization = mirror(Path("tinyseg/compression/quantization.py"), ROOT)
    assert "tests/compression/test_quantization_calibration.py" in quantization
    assert "tests/compression/test_quantization_aware.py" not in quantization
