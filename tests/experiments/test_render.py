"""What is written of an experiment's figures."""

import cv2

from tinyseg.experiments import render

CANDIDATE = {"size": 96, "parameters": 50_000, "macs": 2_000_000, "dice": [0.7, 0.72], "seconds": 9}


def scores(dice, **more):
    with_lesion = {"dice": dice, "iou": dice / 2}
    return {
        **with_lesion,
        "with_lesion": with_lesion,
        "pooled": {"dice": dice},
        "pixel_accuracy": 0.9,
        "parameters": 500_000,
        "kernels": "TFLite reference kernels",
        **more,
    }


def result():
    made = {"bytes": 80_000, "arena_bytes": 200_000, "bit_exact": True}
    return {
        "candidates": {"some_net": CANDIDATE, "other_net": {**CANDIDATE, "dice": [0.6, 0.6]}},
        "winner": "some_net",
        "max_parameters": 60_000,
        "teachers": {"unet": 0.71, "lw_unet": 0.72},
        "teacher": "lw_unet",
        "effort": {"select": 30, "teacher": 60, "hints": 15, "masks": 90, "aware": 8},
        "runs": {
            "teacher": [scores(0.8)],
            "scratch": [scores(0.70), scores(0.71)],
            "hinted": [scores(0.72), scores(0.75)],
            "hinted_ptq": [scores(0.71), scores(0.74)],
            "hinted_qat": [scores(0.72), scores(0.75)],
        },
        "validation": {
            "teacher": [0.81],
            "scratch": [0.72, 0.73],
            "hinted": [0.74, 0.75],
            "hinted_ptq": [0.73, 0.75],
            "hinted_qat": [0.74, 0.76],
        },
        "nothing": scores(0.0),
        "files": {"hinted_ptq": [made] * 2, "hinted_qat": [made] * 2},
        "seconds": 3582,
        "final": {
            "effort": {"teacher": 70, "hints": 10, "masks": 80, "teachers": 2},
            "runs": {
                "teacher": [scores(0.78), scores(0.80)],
                "scratch": [scores(0.73), scores(0.75)],
                "scratch_ptq": [scores(0.73), scores(0.74)],
                "scratch_qat": [scores(0.73), scores(0.75)],
                "distilled": [scores(0.76), scores(0.78)],
                "distilled_ptq": [scores(0.76), scores(0.77)],
                "distilled_qat": [scores(0.75), scores(0.77)],
            },
            "files": {"distilled_ptq": [made] * 2, "distilled_qat": [{**made, "bit_exact": False}]},
            "seconds": 3600,
        },
    }


def tables(text):
    """The tables of a page, each as its rows by their first cell."""
    return [
        {cells[0]: cells[1:] for cells in (row.strip("| ").split(" | ") for row in block)}
        for block in (
            [line for line in part.splitlines() if line.startswith("|")]
            for part in text.split("\n\n")
        )
        if block
    ]


def test_busi_small(tmp_path):
    render.busi_small(result(), tmp_path)
    text = (tmp_path / "busi_small.md").read_text()
    candidates, first, gains, _, final, final_gains, made = tables(text)
    assert candidates["some_net"] == ["96 x 96", "50,000", "2,000,000", "0.7100 ± 0.0141"]
    assert first["teacher, float32"][0] == "0.8000"
    assert first["nothing predicted"][0] == "0.0000"
    assert gains["hint learning over scratch"] == ["0.0300 ± 0.0141", "0.0200 ± 0.0000"]
    assert gains["lost by int8 after training"] == ["0.0100 ± 0.0000", "0.0050 ± 0.0071"]
    assert final["teachers, float32"][0] == "0.7900 ± 0.0141"
    assert final_gains["hints and soft masks over scratch"] == ["0.0300 ± 0.0000"] * 3
    lost = final_gains["from scratch, lost by int8 after training"]
    assert lost == ["0.0050 ± 0.0071"] * 3
    assert made["hints and soft masks, int8 with quantization-aware training"][-1] == "no"
    assert "2.0 hours" in text
    assert "Chosen: some_net" in text
    assert cv2.imread(str(tmp_path / "busi_small.png")).shape[0] > 200


def test_files_that_were_not_scored_as_boards_run_them_are_left_out(tmp_path):
    old = result()
    for runs in (old["runs"], old["final"]["runs"]):
        for role in runs:
            for run in runs[role]:
                del run["kernels"]
    render.busi_small(old, tmp_path)
    text = (tmp_path / "busi_small.md").read_text()
    _, first, gains, _, final, final_gains, made = tables(text)
    assert not [row for row in (*first, *gains, *final, *final_gains) if "int8" in row]
    assert "hint learning over scratch" in gains
    assert "from scratch, float32" in final
    assert [row for row in made if "int8" in row]
    assert text.count("their scores are left out until the round is run again") == 2
    render.busi_small(result(), tmp_path)
    assert "left out" not in (tmp_path / "busi_small.md").read_text()


def test_the_chain_says_which_scores_are_left_out(tmp_path):
    steps = ("teacher", "scratch", "scratch_long", "student", "binarized", "packed")
    chain = {
        "mean": dict.fromkeys(steps, 0.75),
        "deviation": dict.fromkeys(steps, 0.01),
        **dict.fromkeys(("loss", "packed_loss", "gain", "gain_long"), 0.02),
        "bytes": 1000,
        "seconds": 60,
    }
    told = {}
    for name, more in (("old", {}), ("new", {"kernels": "TFLite reference kernels"})):
        render.write_table({"nuclei": {**chain, **more}}, 3, tmp_path / name)
        told[name] = (tmp_path / name).read_text()
    assert "optimised kernels" in told["old"]
    assert "packed int8 file, lost" not in told["old"]
    assert "optimised kernels" not in told["new"]
    assert "packed int8 file, lost" in told["new"]
