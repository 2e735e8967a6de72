"""The choice among candidates, and the plans by which they are trained."""

from tinyseg.experiments.busi_small import CANDIDATES, MAX_PARAMETERS, candidate_plan, winner
from tinyseg.zoo import build


def row(parameters, *dice):
    return {"parameters": parameters, "dice": list(dice)}


def test_best_small_network_wins():
    table = {
        "large": row(MAX_PARAMETERS + 1, 0.9, 0.9),
        "steady": row(MAX_PARAMETERS, 0.7, 0.74),
        "uneven": row(100, 0.5, 0.8),
    }
    assert winner(table) == "steady"


def test_every_candidate_is_small_and_keeps_the_test_part_apart():
    for candidate in CANDIDATES.values():
        plans = [candidate_plan(candidate, 3, fold=fold, seed=1) for fold in (0, 4)]
        assert [plan.data.fold for plan in plans] == [0, 4]
        assert {plan.data.folds for plan in plans} == {5}
        assert {plan.data.fractions[2] for plan in plans} == {0.2}
        assert plans[0].seed == 1
        network = build(*plans[0].network)
        assert network.count_params() <= MAX_PARAMETERS
