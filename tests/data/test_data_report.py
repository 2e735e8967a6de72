import json
import re
import zipfile

import numpy as np
import pytest
from click.testing import CliRunner

from tests.data.makers import (
    MAKERS,
    box,
    head,
    make_brain_mri,
    make_brats_h5,
    make_busi,
    noise,
    save,
)
from tinyseg.cli.data import data
from tinyseg.data import load
from tinyseg.data.summary import balance, summarise_dataset
from tinyseg.errors import GateError, InputError
from tinyseg.reporting import data_report


@pytest.fixture
def uneven(tmp_path):
    for seed in range(9):
        label = "few" if seed < 3 else "many"
        save(tmp_path / f"set/images/{label}/{seed}.png", noise(seed))
        save(tmp_path / f"set/masks/{label}/{seed}.png", 255 * box(seed))
    return tmp_path / "set"


def test_balance_before_and_after():
    assert balance({"a": 6, "b": 3, "c": 2}) == {
        "before": {"a": 6, "b": 3, "c": 2},
        "after": {"a": 6, "b": 6, "c": 6},
        "added": 7,
        "imbalance_before": 3,
        "imbalance_after": 1,
    }
    assert balance({})["imbalance_before"] is None


def test_numbers_are_those_of_the_pixels(uneven):
    facts, shown = summarise_dataset(str(uneven))
    pixels = np.stack([noise(seed) for seed in range(9)])
    (channel,) = facts["intensity"]["channels"]
    assert facts["intensity"]["images"] == 9
    assert channel["mean"] == pytest.approx(pixels.mean())
    assert channel["deviation"] == pytest.approx(pixels.std())
    assert channel["p50"] == pytest.approx(np.median(pixels), abs=1)
    wanted = np.histogram(pixels, 32, (0, 256))[0] / pixels.size
    np.testing.assert_allclose(channel["histogram"], wanted)
    assert facts["images"] == facts["groups"] == 9
    assert facts["balance"]["before"] == {"few": 3, "many": 6}
    assert facts["balance"]["added"] == 3
    foreground = np.mean([box(seed).mean() for seed in range(9)])
    assert facts["foreground"]["mean"] == pytest.approx(foreground)
    assert facts["regions"] == pytest.approx({"foreground": foreground})
    assert [each.sample.label for each in shown] == ["few"] * 3 + ["many"] * 4
    for each in shown:
        np.testing.assert_array_equal(each.mask[..., 0], box(int(each.sample.image.stem)))


def test_patients_count_once(tmp_path):
    make_brats_h5(tmp_path)
    facts, shown = summarise_dataset(f"{tmp_path}:slices=1")
    assert (facts["images"], facts["groups"]) == (16, 4)
    assert len(facts["intensity"]["channels"]) == 4
    assert list(facts["regions"]) == ["necrosis", "oedema", "enhancing"]
    assert shown[0].image.shape == (24, 24, 4)


def test_broken_files_are_told_of_and_left_out(uneven, tmp_path):
    (uneven / "images/many/5.png").write_bytes(b"")
    facts, shown = summarise_dataset(str(uneven))
    assert not facts["ok"]
    assert facts["intensity"]["images"] == 8
    html = data_report.write(facts, shown, tmp_path / "out")[0].read_text()
    assert "Not usable as it is." in html
    assert "5.png: is empty" in html


@pytest.mark.parametrize("name", ["busi", "folder", "brain_mri", "brats2020"])
def test_report_of_every_layout(name, tmp_path):
    maker = MAKERS[name]
    maker.make(tmp_path / "set")
    facts, shown = summarise_dataset(f"{tmp_path / 'set'}{maker.options}")
    html, markdown, plain = data_report.write(facts, shown, tmp_path / "out")
    assert json.loads(plain.read_text()) == json.loads(json.dumps(facts))
    labels = {sample.label for sample in load(tmp_path / "set").samples}
    pictures = {"samples.jpg", "intensities.png"} | ({"labels.png"} if len(labels) > 1 else set())
    assert {p.name for p in (tmp_path / "out").iterdir()} == pictures | {
        "report.html", "report.md", "report.json"
    }  # fmt: skip
    text = html.read_text()
    assert text.count("data:image/") == len(pictures)
    assert not re.search(r'(src|href)="(?!data:)', text)
    assert "Usable." in text
    for picture in pictures:
        assert f"]({picture})" in markdown.read_text()
    counted = {key: f"{value:,}" for key, value in facts["labels"].items() if key}
    for label, number in counted.items():
        assert f"| {label} | {number} |" in markdown.read_text()


def test_equal_data_give_equal_reports(uneven, tmp_path):
    for place in ("a", "b"):
        data_report.write(*summarise_dataset(str(uneven)), tmp_path / place)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_names_are_escaped(tmp_path):
    for seed in range(4):
        save(tmp_path / f"images/<b>{seed % 2}/{seed}.png", noise(seed))
        save(tmp_path / f"masks/<b>{seed % 2}/{seed}.png", 255 * box(seed))
    html = data_report.write(*summarise_dataset(str(tmp_path)), tmp_path / "out")[0].read_text()
    assert "<b>" not in html
    assert "&lt;b&gt;0" in html


def test_duplicates_of_other_labels_stand_first(tmp_path):
    make_busi(tmp_path)
    for number in (4, 6):
        copy = tmp_path / f"benign/one ({number}).png"
        copy.write_bytes((tmp_path / "benign/one (2).png").read_bytes())
    (tmp_path / "malignant/one (3).png").write_bytes((tmp_path / "benign/one (8).png").read_bytes())
    table = data_report.tables(summarise_dataset(str(tmp_path))[0])[-1]
    assert [row[3] for row in table["rows"]] == ["differ", "equal", "equal", "equal"]


# The verbs


def run(*arguments):
    result = CliRunner().invoke(data, [str(a) for a in arguments], catch_exceptions=True)
    return result.output, result.exception


def test_report_verb(uneven, tmp_path):
    output, failure = run("report", uneven, "-o", tmp_path / "out")
    assert failure is None
    assert output == f"report: {tmp_path / 'out/report.html'}\n"
    output, _ = run("report", uneven, "-o", tmp_path / "out", "--json")
    assert json.loads(output) == json.loads((tmp_path / "out/report.json").read_text())


def test_report_verb_fails_after_writing(uneven, tmp_path):
    (uneven / "images/many/5.png").write_bytes(b"")
    _, failure = run("report", uneven, "-o", tmp_path / "out")
    assert isinstance(failure, GateError)
    assert (tmp_path / "out/report.html").is_file()


def test_stage_verb(tmp_path):
    make_brain_mri(tmp_path / "brains")
    rng = np.random.default_rng(0)
    for path in sorted((tmp_path / "brains").rglob("*.png")):  # No two alike.
        save(path, np.where(head(1) > 0, rng.integers(100, 255, (64, 64), np.uint8), 0))
    with zipfile.ZipFile(tmp_path / "brains.zip", "w") as archive:
        for path in sorted((tmp_path / "brains").rglob("*.png")):
            archive.write(path, path.relative_to(tmp_path))
    fractions = "data.fractions=[0.5,0.25,0.25]"
    output, failure = run(
        "stage", tmp_path / "brains.zip", tmp_path / "out", "--json", "--set", fractions
    )
    assert failure is None
    staged = json.loads(output)
    assert staged["tasks"] == ["classification"]
    assert sum(sum(counts.values()) for counts in staged["images"].values()) == 20
    assert len(list((tmp_path / "out").rglob("*.png"))) == 20
    output, failure = run("stage", tmp_path / "brains.zip", tmp_path / "out", "--set", fractions)
    assert isinstance(failure, InputError)


def test_check_verb_takes_options(tmp_path):
    make_brats_h5(tmp_path)
    output, failure = run("check", f"{tmp_path}:slices=1")
    assert failure is None
    assert f"{tmp_path}:slices=1: 16 images, 16 masks" in output


@pytest.mark.real_data
def test_real_report(real_data, tmp_path):
    facts, shown = summarise_dataset("busi")
    assert facts["balance"]["before"] == {"benign": 371, "malignant": 176, "normal": 113}
    assert facts["balance"]["imbalance_before"] == pytest.approx(371 / 113)
    assert facts["balance"]["added"] == 3 * 371 - 660
    assert len(shown) == 9
    html, markdown, _ = data_report.write(facts, shown, tmp_path)
    assert html.stat().st_size < 2_000_000
    assert "453 augmented copies" in markdown.read_text()
