"""Where a silent fault costs most, and the tests that mirror each of those modules."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from pathlib import Path

PYTHON = (
    "tinyseg/decision.py",
    "tinyseg/preprocessing.py",
    "tinyseg/data/splits.py",
    "tinyseg/data/pipeline.py",
    "tinyseg/data/images.py",
    "tinyseg/data/duplicates.py",
    "tinyseg/scoring/metrics.py",
    "tinyseg/scoring/classification_metrics.py",
    "tinyseg/scoring/scores.py",
    "tinyseg/training/losses.py",
    "tinyseg/training/loop.py",
    "tinyseg/compression/quantization.py",
    "tinyseg/compression/quantization_aware.py",
    "tinyseg/compression/clustering.py",
    "tinyseg/tflite/packing.py",
    "tinyseg/tflite/arena/*.py",
    "tinyseg/tflite/ops/*.py",
    "tinyseg/tflite/lowering/*.py",
    "tinyseg/tflite/patching/*.py",
    "tinyseg/verification/*.py",
    "tinyseg/runtime/*.py",
    "tinyseg/boards/c_source.py",
    "tinyseg/boards/image.py",
    "tinyseg/steps/predict.py",
    "tinyseg/steps/fit_board.py",
    "tinyseg/steps/candidates.py",
    "tinyseg/steps/budget.py",
)
CPP = ("firmware/core/*.cc", "firmware/core/*.h")

# Tables of what is known of operators.
_OPS = tuple(
    f"tests/tflite/ops/test_{name}.py" for name in ("registry", "memory_sizes", "memory", "rows")
)
_FITTING = ("tests/steps/test_fit_board.py", "tests/steps/test_fit_budgets.py")
# Modules whose tests do not bear their name alone.
_MORE = {
    "tinyseg/data/images.py": ("tests/data/test_bad_input.py", "tests/data/test_equal_kinds.py"),
    "tinyseg/training/loop.py": ("tests/training/test_callbacks.py",),
    "tinyseg/tflite/packing.py": ("tests/tflite/test_unpacking.py", "tests/tflite/test_lookup.py"),
    "tinyseg/tflite/arena/planner.py": ("tests/tflite/arena/test_memory_by_hand.py",),
    "tinyseg/tflite/arena/tail.py": ("tests/tflite/arena/test_memory_by_hand.py",),
    "tinyseg/tflite/ops/registry.py": ("tests/tflite/ops/test_registration.py", *_OPS),
    "tinyseg/tflite/ops/checks.py": ("tests/tflite/test_lint.py",),
    "tinyseg/tflite/lowering/__init__.py": ("tests/tflite/lowering/test_lower.py",),
    "tinyseg/tflite/patching/__init__.py": ("tests/tflite/patching/test_patch.py",),
    "tinyseg/runtime/keras.py": ("tests/runtime/test_backends.py",),
    "tinyseg/runtime/tflite.py": ("tests/runtime/test_backends.py",),
    "tinyseg/runtime/tflm.py": ("tests/runtime/test_backends.py",),
    "tinyseg/runtime/engine.py": ("tests/engine/test_rules.py", "tests/engine/test_programs.py"),
    "tinyseg/verification/trial.py": ("tests/verification/test_verify_engine.py",),
    "tinyseg/verification/differences.py": (
        "tests/verification/test_differences.py",
        "tests/verification/test_verify_gates.py",
    ),
    "tinyseg/verification/scored.py": (
        "tests/steps/test_foreign_files.py",
        "tests/steps/test_foreign_heads.py",
    ),
    "tinyseg/verification/gates.py": ("tests/verification/test_verify_gates.py",),
    "tinyseg/steps/fit_board.py": ("tests/steps/test_fit_budgets.py",),
    "tinyseg/steps/candidates.py": _FITTING,
    "tinyseg/steps/budget.py": _FITTING,
}


def python_modules(root: Path, chosen: Iterable[str] = ()) -> list[Path]:
    """Return the modules to put faults into, relative to ``root``; all if none are chosen.

    Packages that only name what is in them have nothing to be wrong.
    """
    found = _matching(root, chosen or PYTHON, ".py")
    return [path for path in found if "def " in (root / path).read_text()]


def cpp_modules(root: Path, chosen: Iterable[str] = ()) -> list[Path]:
    """Return the C++ files to put faults into, relative to ``root``; all if none are chosen.

    Headers that only declare have nothing to be wrong.
    """
    found = _matching(root, chosen or CPP, ".cc", ".h")
    return [
        path for path in found if path.suffix == ".cc" or "return " in (root / path).read_text()
    ]


def mirror(module: Path, root: Path) -> list[str]:
    """Return the test files of a module: ``tests/ROOM/test_MODULE*.py`` and what else it has."""
    room = Path("tests", *module.parts[1:-1])
    own = sorted((root / room).glob(f"test_{module.stem.removeprefix('__')}*.py"))
    own = [path for path in own if _is_of(path.stem, module, root)]
    named = [str(path.relative_to(root)) for path in own]
    more = _MORE.get(str(module), _OPS if room == Path("tests/tflite/ops") else ())
    return named + [test for test in more if test not in named]


def _is_of(test: str, module: Path, root: Path) -> bool:
    """Tell whether no other module's name fits a test better: ``test_fit_cli`` is of ``fit``."""
    stems = {path.stem for path in (root / module).parent.glob("*.py")}
    longer = [s for s in stems if len(s) > len(module.stem) and s.startswith(module.stem)]
    return not any(fnmatch.fnmatch(test, f"test_{stem}*") for stem in longer)


def _matching(root: Path, patterns: Iterable[str], *suffixes: str) -> list[Path]:
    found = {path for pattern in patterns for path in root.glob(pattern)}
    return sorted(path.relative_to(root) for path in found if path.suffix in suffixes)
