"""Every key of a plan is documented, in the code and on its page."""

import importlib.util
from pathlib import Path

import pytest

from tinyseg import plan as plans
from tinyseg.plan.keys import keys

ROOT = Path(__file__).parents[2]
LEAVES = [
    "model.name", "data.fractions", "training.batch_size", "distillation.ensemble",
    "binarization.source", "quantization.weight_bits", "preprocessing.width", "seed",
]  # fmt: skip


def test_every_key_is_there_with_a_meaning():
    known = {key.name: key for key in keys()}
    assert set(LEAVES) <= set(known)
    assert all(key.meaning.endswith(".") or len(key.meaning) > 3 for key in known.values())
    assert known["training.batch_size"].takes == "1 or more"
    assert known["training.batch_size"].meaning == "images a step."
    assert known["preprocessing.height"].meaning == known["preprocessing.width"].meaning
    assert not {"provenance", "files"} & set(known)


@pytest.mark.parametrize("key", keys(), ids=lambda key: key.name)
def test_every_key_can_be_set_to_its_default(key):
    value = list(key.default) if isinstance(key.default, tuple) else key.default
    assert plans.override(plans.Plan(), {key.name: value}) == plans.Plan()


def test_page_holds_every_key():
    pytest.importorskip("mkdocs")
    spec = importlib.util.spec_from_file_location("hooks", ROOT / "docs/hooks.py")
    hooks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hooks)
    page = "\n".join(hooks._plan())
    parts = page.split("\n## ")[1:]
    listed = {
        f"{part.split('`')[1]}.{row.split('`')[1]}"
        for part in parts
        for row in part.splitlines()
        if part.startswith("`") and row.startswith("| `")
    }
    assert listed == {key.name for key in keys() if "." in key.name}
    assert "``" not in page
