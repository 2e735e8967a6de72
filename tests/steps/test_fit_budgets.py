"""What fits what: for the board's own kernels, to the byte, with strips where they help."""

import dataclasses
import itertools

import numpy as np
import pytest
import tf_keras as keras
from hypothesis import given
from hypothesis import strategies as st

from tests import fixtures
from tests.tflite.drafts import File, conv, options
from tinyseg import boards
from tinyseg import plan as plans
from tinyseg.errors import InputError
from tinyseg.steps import candidates as sizes
from tinyseg.steps.budget import Budget, boards_that_hold
from tinyseg.steps.candidates import Candidate, Grid, candidates, front, on_tflm
from tinyseg.steps.convert import to_integers
from tinyseg.steps.fit_board import fit_file
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.arena.memory import predict_arena
from tinyseg.tflite.arena.placement import least_arena
from tinyseg.tflite.input_size import with_input_size
from tinyseg.tflite.lowering import lower
from tinyseg.tflite.ops.registry import total_cost
from tinyseg.zoo import build

MIB = 1 << 20
TARGETS = ("host", "cortex_m", "cortex_m55")


def needed(model, target):
    return predict_arena(model, target).needed


def wide_in_the_middle():
    """A wide map in the middle of a small network: strips save most of its memory."""
    file = File()
    image = file.tensor((1, 64, 64, 2))
    wide = conv(file, image, 24, (3, 3))
    pooled, mask = (file.tensor((1, 8, 8, c), scale=0.1, zero_point=-3) for c in (24, 1))
    pool = options("Pool2D", filterHeight=8, filterWidth=8, strideH=8, strideW=8)
    file.operator("MAX_POOL_2D", [wide], pooled, pool)
    conv(file, pooled, 1, target=mask)
    return TfliteModel.parse(file.content([image], [mask]), "chain.tflite")


@pytest.fixture(scope="module")
def chain():
    return wide_in_the_middle()


@pytest.fixture(scope="module")
def whole(chain):
    return lower(chain).model


@pytest.fixture(scope="module")
def strips(chain):
    return lower(chain, patches=True).model


def test_budget_of_a_board_is_for_its_kernels_and_without_the_frame(chain):
    # The frame is the input, 64 x 64 x 2, not the output of 8 x 8 x 1.
    for name, target in (("rp2040_pico", "cortex_m"), ("stm32n6570_dk", "cortex_m55")):
        board = boards.load_board(name)
        left = board.budget()
        assert left.arena != left.model
        assert Budget.of(board) == Budget(left.arena, left.model, target)
        assert Budget.of(board, chain) == Budget(left.arena - 8192, left.model, target)
    assert Budget(1, 2).target == "host"


def test_boards_hold_what_their_own_kernels_need():
    """At 104 x 104 the host's kernels need more than some boards have, the boards' own do not."""
    model = with_input_size(TfliteModel.parse(fixtures.quantized()), 104, 104)
    frame, file = 104 * 104 * 3, len(model.content)
    real = [name for name in boards.board_names() if boards.load_board(name).machine is None]
    expected, by_host = [], []
    for name in real:
        board, left = boards.load_board(name), boards.load_board(name).budget()
        for found, target in ((expected, board.target), (by_host, "host")):
            if needed(model, target) <= left.arena - frame and file <= left.model:
                found.append(name)
    assert boards_that_hold(model) == expected
    assert {"nano_33_ble", "xg24_dk"} <= set(expected) - set(by_host)


def test_boards_that_are_too_small_or_emulated_are_left_out():
    model = with_input_size(TfliteModel.parse(fixtures.quantized()), 160, 160)
    held = boards_that_hold(model)
    assert held
    assert "rp2040_pico" not in held
    assert not {name for name in boards.board_names() if boards.load_board(name).machine} & set(
        held
    )


@pytest.mark.parametrize("target", TARGETS)
def test_file_fits_to_the_byte(chain, whole, target):
    ram, flash = needed(whole, target), len(whole.content)
    lowered, fits = fit_file(chain, Budget(ram, flash, target))
    assert (lowered.model.content, fits) == (whole.content, True)
    # A byte of flash too little: strips would take even more.
    lowered, fits = fit_file(chain, Budget(ram, flash - 1, target))
    assert (lowered.model.content, fits) == (whole.content, False)


@pytest.mark.parametrize("target", TARGETS)
def test_file_is_cut_into_strips_where_it_does_not_fit_whole(chain, whole, strips, target):
    ram, flash = needed(strips, target), len(strips.content)
    assert ram < needed(whole, target) / 2
    for budget, fits in (
        (Budget(needed(whole, target) - 1, flash, target), True),
        (Budget(ram, flash, target), True),
        (Budget(ram - 1, flash, target), False),
        (Budget(ram, flash - 1, target), False),
    ):
        lowered, told = fit_file(chain, budget)
        assert lowered.model.content == strips.content
        assert told is fits


def test_file_that_fits_the_kernels_of_the_board_alone(chain, whole, strips):
    """The same memory: enough for CMSIS-NN's kernels, not for the reference ones."""
    need = {target: needed(whole, target) for target in TARGETS}
    assert need["cortex_m"] < need["cortex_m55"] < need["host"]
    for target, content in zip(TARGETS, (strips, whole, strips), strict=True):
        lowered, fits = fit_file(chain, Budget(need["cortex_m"], MIB, target))
        assert fits
        assert lowered.model.content == content.content


def test_strips_are_not_tried_where_they_are_hopeless(chain, whole, strips):
    """More than eight times the memory is more than strips have ever saved."""
    need = needed(whole, "host")
    for ram, content in ((need // 8 + 1, strips), (need // 8 - 1, whole), (need // 7, strips)):
        lowered, fits = fit_file(chain, Budget(ram, MIB))
        assert not fits
        assert lowered.model.content == content.content
    assert need % 8 == 0
    assert fit_file(chain, Budget(need // 8, MIB))[0].model.content == strips.content
    assert fit_file(chain, Budget(need // 9, MIB))[0].model.content == whole.content


def test_progress_is_told_of_both_ways(chain, whole, strips):
    calls = []
    lower(chain, patches=True, progress=lambda: calls.append(None))
    both = []
    fit_file(chain, Budget(needed(strips, "host"), MIB), progress=lambda: both.append(None))
    assert len(both) >= len(calls) > 0


@pytest.fixture(scope="module")
def converted():
    """Each network converted once: what ``candidates`` makes of it is looked at many times."""
    made, convert = {}, sizes._convert

    def once(model, side, channels):
        key = model.name, tuple(sorted(model.arguments.items())), side, channels
        if key not in made:
            keras.utils.set_random_seed(0)
            made[key] = convert(model, side, channels)
        return made[key]

    return once


@pytest.fixture(scope="module")
def resized():
    """Each network at each size once, likewise."""
    made, resize = {}, sizes._at_size

    def once(base, side):
        if (base.content, side) not in made:
            made[base.content, side] = resize(base, side)
        return made[base.content, side]

    return once


@pytest.fixture
def propose(converted, resized, monkeypatch):
    monkeypatch.setattr(sizes, "_convert", converted)
    monkeypatch.setattr(sizes, "_at_size", resized)

    def run(budget, progress=lambda: None, **choice):
        grid = Grid(**{"widths": [4, 2], "depths": [1], "sizes": [40, 16, 24, 6], **choice})
        return candidates("unet", {"dropout": 0.1}, 1, on_tflm(budget), grid, progress=progress)

    return run


def at(converted, resized, width, side):
    """The file of a size of depth 1, and the parameters of its network."""
    arguments = {"dropout": 0.1, "base_width": width, "depth": 1}
    base, parameters = converted(plans.ModelPlan("unet", arguments), 4, 1)
    return resized(base, side), parameters


def test_candidates_are_the_largest_that_fit(propose, converted, resized):
    """Budgets to the byte of each width and size, and a byte less."""
    sides = (40, 24, 16, 6)
    files = {(w, s): at(converted, resized, w, s) for w in (2, 4) for s in sides}
    for target in ("host", "cortex_m"):
        arenas = {key: least_arena(model, target) for key, (model, _) in files.items()}
        assert len(set(arenas.values())) == 8
        for arena, less in itertools.product(arenas.values(), (0, 1)):
            budget, expected = Budget(arena - less, MIB, target), []
            for width in (2, 4):
                fitting = [side for side in sides if arenas[width, side] <= budget.ram]
                for side in fitting[:1]:
                    model, parameters = files[width, side]
                    taken = arenas[width, side], len(model.content), total_cost(model).macs
                    expected.append(Candidate(width, 1, side, *taken, parameters))
            assert propose(budget) == expected


def test_candidates_fit_the_flash_to_the_byte(propose):
    narrow, wide = propose(Budget(MIB, MIB), sizes=[40])
    assert (narrow.base_width, narrow.size, wide.base_width, wide.size) == (2, 40, 4, 40)
    assert narrow.file_bytes < wide.file_bytes
    for flash, found in (
        (wide.file_bytes, [narrow, wide]),
        (wide.file_bytes - 1, [narrow]),
        (narrow.file_bytes, [narrow]),
        (narrow.file_bytes - 1, []),
    ):
        assert propose(Budget(MIB, flash), sizes=[40]) == found


def test_candidate_takes_what_the_network_built_at_its_size_takes(converted, resized):
    """Converted at 4 x 4 and enlarged to 24 x 24; weights do not depend on the size."""
    arguments = {"dropout": 0.1, "base_width": 4, "depth": 1}
    found, parameters = at(converted, resized, 4, 24)
    keras.utils.set_random_seed(0)
    plan = plans.Plan(
        model=plans.ModelPlan("unet", arguments), preprocessing=plans.PreprocessingPlan(24, 24, 1)
    )
    network = build(*plan.network)
    images = np.random.default_rng(0).random((2, 24, 24, 1), np.float32)
    lowered = lower(TfliteModel.parse(to_integers(network, plan, images)[0])).model
    assert parameters == network.count_params()
    assert found.opcodes == lowered.opcodes
    assert total_cost(found).macs == total_cost(lowered).macs
    for target in TARGETS:
        assert least_arena(found, target) == pytest.approx(needed(lowered, target), abs=64)
    # Names and places take some bytes.
    assert len(found.content) == pytest.approx(len(lowered.content), rel=0.05)


def test_candidates_are_for_the_kernels_of_the_target(propose):
    by_target = {target: propose(Budget(MIB, MIB, target)) for target in TARGETS}
    arenas = {target: found[-1].arena_bytes for target, found in by_target.items()}
    assert len(set(arenas.values())) > 1
    low, high = sorted(set(arenas.values()))[:2]
    for target, arena in arenas.items():
        sizes = {c.base_width: c.size for c in propose(Budget(low, MIB, target))}
        assert (sizes[4] == 40) is (arena <= low < high)


def test_sizes_suit_the_depth(propose):
    """A side halves at every stage, and is larger than the one the network was converted at."""
    sizes = [8, 9, 10, 12, 16, 18, 4]
    found = propose(Budget(MIB, MIB), sizes=sizes, widths=[2])
    assert [candidate.size for candidate in found] == [18]
    assert propose(Budget(MIB, MIB), sizes=[9, 4, 11], widths=[2]) == []
    assert propose(Budget(MIB, MIB), sizes=[6, 4], widths=[2])[0].size == 6
    deep = propose(Budget(MIB, MIB), depths=[2, 1], sizes=sizes, widths=[2])
    assert [(c.depth, c.size) for c in deep] == [(2, 16), (1, 18)]
    assert propose(Budget(MIB, MIB), sizes=[8, 10, 14, 18], widths=[2], depths=[2]) == []


def test_progress_is_told_of_every_width_and_depth(propose):
    calls = []

    def advance():
        calls.append(None)

    # Nothing fits: what is too large for one width is for all wider ones.
    assert propose(Budget(1_000, MIB), advance, widths=[4, 2, 8], depths=[1, 2]) == []
    assert len(calls) == 6


@pytest.mark.parametrize(("name", "argument"), [("custom_cnn", "depth"), ("alexnet", "depth")])
def test_networks_without_such_an_argument_are_named(name, argument):
    with pytest.raises(InputError, match=f"{name}: has no argument {argument} to fit"):
        candidates(name, {}, 3, on_tflm(Budget(MIB, MIB)), Grid([4], [2], [32]))


def test_settings_make_the_network_of_a_candidate():
    plan = plans.override(plans.Plan(), Candidate(6, 3, 88, 1, 2, 3, 4).settings())
    assert plan.model.arguments == {"base_width": 6, "depth": 3}
    assert (plan.preprocessing.height, plan.preprocessing.width) == (88, 88)
    others = {"model": plans.ModelPlan(), "preprocessing": plans.PreprocessingPlan()}
    assert dataclasses.replace(plan, **others) == plans.Plan()


def test_customary_sizes():
    """Kernels work on four channels at once; a side halves as often as the network is deep."""
    assert all(width % 4 == 0 for width in sizes.GRID.widths)
    assert list(sizes.GRID.widths) == sorted(set(sizes.GRID.widths))
    assert sizes.GRID.depths == (2, 3, 4)
    assert all(size % 8 == 0 for size in sizes.GRID.sizes)
    assert list(sizes.GRID.sizes) == sorted(set(sizes.GRID.sizes))


@given(st.lists(st.tuples(*[st.integers(1, 3)] * 4), max_size=12, unique_by=lambda row: row[:3]))
def test_front_is_what_nothing_else_exceeds_in_all(rows):
    found = [Candidate(*row[:3], 0, 0, row[3], 0) for row in rows]
    best = front(found)
    for candidate in found:
        size = np.array([candidate.base_width, candidate.depth, candidate.size])
        exceeded = any(
            np.all(np.array([o.base_width, o.depth, o.size]) >= size)
            for o in found
            if (o.base_width, o.depth, o.size) != tuple(size)
        )
        assert (candidate in best) is not exceeded
    work = [candidate.macs for candidate in best]
    assert work == sorted(work, reverse=True)
