"""Plans of the experiment, differences over the same images, and its page."""

import statistics

import numpy as np
import pytest
from scipy import stats

from tinyseg import plan as plans
from tinyseg.experiments.busi_clinic import (
    FOLD,
    LEVERS,
    NONE,
    SHORT,
    TEACHERS,
    final_plan,
    student_plan,
    teacher_plan,
)
from tinyseg.experiments.clinic_page import paired, write
from tinyseg.zoo import build


def test_plans_keep_the_test_part_apart_and_the_student_is_small():
    made = [teacher_plan(name, FOLD) for name in TEACHERS]
    made += [plans.override(student_plan(FOLD, SHORT), changes) for changes in LEVERS.values()]
    made.append(final_plan())
    for plan in made:
        assert (plan.data.split_seed, plan.data.folds, plan.data.fractions[2]) == (0, 5, 0.2)
    assert [plan.data.fold for plan in made] == [FOLD] * (len(made) - 1) + [NONE]
    assert len({plan.seed for plan in made[: len(TEACHERS)]}) == len(TEACHERS)
    settings = made[-1].distillation
    assert "teacher_mixed" in settings.teacher
    assert len(settings.ensemble) == 1
    assert build(*made[-1].network).count_params() <= 60_000


def test_every_lever_but_the_reference_changes_something():
    base = student_plan(FOLD, SHORT)
    for name, changes in LEVERS.items():
        assert (plans.override(base, changes) == base) == (name == "all")


def test_differences_are_paired():
    rng = np.random.default_rng(0)
    one, other = rng.random((2, 30))
    found = paired(one, other)
    t, _ = stats.ttest_rel(one, other)
    assert found.mean / found.error == pytest.approx(t)
    assert str(paired([0.5, 0.7], [0.4, 0.4])) == "+0.200 ± 0.100"


def scores(lesion, everything):
    return {
        "images": 133, "lesion_images": 110, "missed_lesions": 7, "false_alarms": 5,
        "dice": everything, "with_lesion": {"dice": lesion},
    }  # fmt: skip


def test_page(tmp_path):
    row = {"ill": [True, True, False], "seconds": 1800}
    result = {
        "seconds": 3600,
        "short": 30,
        "file": {"bytes": 139_000, "arena_bytes": 142_208},
        "point": {
            "chosen": {
                "point": {"threshold": 0.5, "blank_below": 0.7},
                "lesion_dice": 0.72, "dice": 0.74, "missed_lesions": 3, "false_alarms": 4,
                "healthy_images": 18,
            }
        },
        "test": {"float": scores(0.75, 0.76), "integers": scores(0.74, 0.755)},
        "ablation": {
            "all": {"dice": [0.8, 0.6, 1.0], **row},
            "without mixing": {"dice": [0.7, 0.6, 0.0], **row},
        },
    }  # fmt: skip
    write(result, tmp_path / "page.md")
    page = (tmp_path / "page.md").read_text()
    assert "in 2.0 hours of a core" in page
    assert "| test part, int8 | 0.7400 | 0.7550 | 7 | 5 of 23 |" in page
    gains = (-0.1, 0.0)
    error = statistics.stdev(gains) / 2**0.5
    assert f"| without mixing | 0.6500 | 0.4333 | -0.050 ± {error:.3f} |" in page
    assert "threshold 0.5, blank_below 0.7" in page
    write({**result, "ablation": {}}, tmp_path / "page.md")
    assert "not taken away" in (tmp_path / "page.md").read_text()
