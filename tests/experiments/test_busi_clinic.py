"""Plans of the experiment, differences over the same images, and its page."""

import statistics

import numpy as np
import pytest
from scipy import stats

from tests.zoo.contract import enliven, pictures
from tinyseg.compression.quantization import convert_post_training
from tinyseg.experiments.clinic_page import paired, write
from tinyseg.experiments.clinic_plans import (
    FINAL,
    FOLD,
    LEVERS,
    LIMIT,
    LONG,
    NONE,
    SHORT,
    SIZES,
    START,
    TEACHERS,
    TRIALS,
    WISH,
    fifth_plan,
    first_final_plan,
    first_student_plan,
    fourth_plan,
    lever_plan,
    seventh_plan,
    sixth_plan,
    sixth_start_plan,
    sized_plan,
    student_plan,
    teacher_plan,
    third_plan,
    trial_plan,
    trial_role,
    weights,
)
from tinyseg.experiments.clinic_rounds import BOTH, Bar
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.arena.memory import predict_arena
from tinyseg.tflite.lowering import lower
from tinyseg.zoo import build


def test_plans_keep_the_test_part_apart_and_the_student_is_small():
    made = [teacher_plan(name, FOLD) for name in TEACHERS]
    made += [lever_plan(name) for name in LEVERS]
    later = (third_plan, fourth_plan, fifth_plan, sixth_plan, seventh_plan)
    made += [first_student_plan(), *(plan_for(FOLD) for plan_for in later)]
    finals = [student_plan(NONE, FINAL), first_final_plan()]
    finals += [plan_for(NONE) for plan_for in later]
    made += finals
    for plan in made:
        assert (plan.data.split_seed, plan.data.folds, plan.data.fractions[2]) == (0, 5, 0.2)
    assert [plan.data.fold for plan in made] == [FOLD] * (len(made) - 7) + [NONE] * 7
    assert len({(plan.seed, plan.training) for plan in made[: len(TEACHERS)]}) == len(TEACHERS)
    alone = [plan_for(fold) for plan_for in (sixth_plan, seventh_plan) for fold in (FOLD, NONE)]
    for plan in made[-13:]:
        assert "teacher_mixed" in plan.distillation.teacher
        assert len(plan.distillation.ensemble) == (plan not in alone)
        assert build(*plan.network).count_params() <= 60_000


@pytest.mark.slow
@pytest.mark.parametrize("kilobytes", SIZES)
def test_sizes_fit_the_arena_that_they_are_named_after(kilobytes):
    plan = sized_plan(kilobytes)
    shape = (plan.preprocessing.height, plan.preprocessing.width, 1)
    network = enliven(build(*plan.network))
    content = convert_post_training(network, plan, pictures(2, shape))
    lowered = lower(TfliteModel.parse(content, "student"), patches=True)
    assert predict_arena(lowered.model).needed <= 1024 * kilobytes
    assert kilobytes == 512 or network.count_params() <= 60_000


def test_trials_differ_and_are_small_too():
    base = student_plan(FOLD, LONG)
    for name in TRIALS:
        plan = trial_plan(name)
        assert plan != base
        assert build(*plan.network).count_params() <= 60_000


def test_the_third_round_starts_from_what_saw_the_training_images_of_the_fold_alone():
    start, final = trial_plan(START), third_plan(NONE)
    assert start.data == third_plan(FOLD).data
    assert start.model == final.model
    assert final.training == third_plan(FOLD).training
    assert str(weights(trial_role(START))) == final.training.initial_weights
    assert fifth_plan(NONE).training.initial_weights == final.training.initial_weights
    assert fifth_plan(NONE).training == fifth_plan(FOLD).training
    going_on = [fourth_plan(fold).training.initial_weights for fold in (FOLD, NONE)]
    assert going_on == [str(weights(role)) for role in ("third_student", "third_final")]
    going_on = [sixth_plan(fold).training.initial_weights for fold in (FOLD, NONE)]
    assert going_on == [str(weights(role)) for role in ("sixth_start", "sixth_student")]
    assert sixth_start_plan().training == third_plan(FOLD).training


@pytest.mark.parametrize(
    ("lesion", "everything", "expected"),
    [(0.72, 0.74, True), (0.73, 0.73, False), (0.7, 0.8, False)],
)
def test_a_better_network_has_more_dice_of_both_kinds(lesion, everything, expected):
    found = {"lesion_dice": lesion, "dice": everything}
    bar = Bar({"lesion_dice": 0.71, "dice": 0.73}, BOTH, "")
    assert bar.exceeded_by(found) == expected
    # Where false alarms are limited lesions alone decide.
    assert bar._replace(keys=BOTH[:1]).exceeded_by(found) == (lesion > 0.71)


def test_every_lever_but_the_reference_changes_something():
    base = lever_plan("all")
    assert base.training.epochs == SHORT
    for name in LEVERS:
        assert (lever_plan(name) == base) == (name == "all")


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


def found(tests, wish=WISH, asked=""):
    return {
        "asked": asked,
        "files": [{"bytes": 139_000, "arena_bytes": 142_208}],
        "point": {
            "wish": wish,
            "chosen": {
                "point": {"threshold": 0.5, "blank_below": 0.7},
                "lesion_dice": 0.72, "dice": 0.74, "missed_lesions": 3, "false_alarms": 4,
                "healthy_images": 18,
            }
        },
        "tests": tests,
    }  # fmt: skip


MARKED = {
    "presence_auc": 0.915, "lesion_dice": 0.7, "dice": 0.71, "missed_lesions": 9,
    "false_alarms": 2, "healthy_images": 18,
}  # fmt: skip


def test_page(tmp_path):
    first = {"float": scores(0.75, 0.76), "integers": scores(0.74, 0.755)}
    second = {"float": scores(0.73, 0.76), "integers": scores(0.72, 0.745)}
    row = {"ill": [True, True, False], "seconds": 1800}
    result = {
        "seconds": 3600,
        "short": 30,
        "rounds": {
            "first": found([first]),
            "second": found([first, second]),
            "third": found([], asked="more Dice"),
            "fifth": found([], LIMIT, "more Dice by this wish"),
        },
        "limited": {"first round": found([], LIMIT)["point"]},
        "failures": {"missed": ["benign/benign (1)", "benign/benign (2)"], "false_alarms": []},
        "trials": {"160 x 160": {"epochs": 50, "seconds": 1800, **MARKED}},
        "mirror": {"first student": {"alone": MARKED, "mean": {**MARKED, "lesion_dice": 0.73}}},
        "ablation": {
            "all": {"dice": [0.8, 0.6, 1.0], **row},
            "without mixing": {"dice": [0.7, 0.6, 0.0], **row},
        },
    }  # fmt: skip
    write(result, tmp_path / "page.md")
    page = (tmp_path / "page.md").read_text()
    assert "in 2.5 hours of a core" in page
    assert "| 160 x 160 | 50 | 0.915 | 0.7000 | 0.7100 | 9 | 2 of 18 |" in page
    assert "| with its mirror image | 0.7300 | 0.7100 | 9 | 2 of 18 |" in page
    assert "| first round, test part, int8 | 0.7400 | 0.7550 | 7 | 5 of 23 |" in page
    spread = 0.02 / 2**0.5
    assert "| second round, test part, int8, seed 1 | 0.7200 | 0.7450 | 7 | 5 of 23 |" in page
    assert f"int8, mean ± spread | 0.7300 ± {spread:.4f} | 0.7500 ± {spread / 2:.4f}" in page
    assert "third round: 139,000 bytes" in page
    assert (
        "blank_below 0.7; not scored on the test part, for its student does not have more" in page
    )
    assert f"operating point for {LIMIT}: threshold 0.5" in page
    assert page.count("by this wish") == 1
    assert "| first round, the fifth one's wish, validation" in page
    assert "third round, test part" not in page
    gains = (-0.1, 0.0)
    error = statistics.stdev(gains) / 2**0.5
    assert f"| without mixing | 0.6500 | 0.4333 | -0.050 ± {error:.3f} |" in page
    assert "Missed: benign/benign (1), benign/benign (2).\n\nHealthy and marked: none." in page
    assert "threshold 0.5, blank_below 0.7" in page
    write({**result, "ablation": {}}, tmp_path / "page.md")
    assert "not taken away one by one yet" in (tmp_path / "page.md").read_text()
