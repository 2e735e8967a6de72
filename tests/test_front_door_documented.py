"""What `import tinyseg` offers is documented whole."""

import doctest
import importlib.util
import inspect
import re
from pathlib import Path

import pytest

import tinyseg

ROOT = Path(__file__).parents[1]


def documented():
    for name in ("build", "load", "quantize", "Quantized"):
        offered = getattr(tinyseg, name)
        yield name, offered
        if inspect.isclass(offered):
            members = vars(offered).items()
            yield from ((f"{name}.{k}", member) for k, member in members if not k.startswith("_"))


def test_all_that_is_offered_is_documented():
    names = {name for name, _ in documented()}
    assert set(tinyseg.__all__) - {"__version__"} <= names
    assert set(tinyseg.__all__) <= set(dir(tinyseg))


@pytest.mark.parametrize(("name", "offered"), list(documented()))
def test_docstrings_name_every_argument(name, offered):
    if not inspect.isfunction(offered):
        return
    text = inspect.getdoc(offered)
    _, _, arguments = text.partition("Args:\n")
    for argument in set(inspect.signature(offered).parameters) - {"self"}:
        assert re.search(rf"^    {argument}: ", arguments, re.M), f"{name}: {argument}"
    assert "Returns:\n" in text


def test_page_holds_what_is_offered():
    pytest.importorskip("mkdocs")
    spec = importlib.util.spec_from_file_location("hooks", ROOT / "docs/hooks.py")
    hooks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hooks)
    page = "\n".join(hooks._python())
    for name, offered in documented():
        assert re.search(rf"^#+ (tinyseg\.)?{re.escape(name)}$", page, re.M)
        example = doctest.DocTestParser().get_examples(offered.__doc__)[0]
        assert f">>> {example.source}" in page
    assert ":func:" not in page
    assert "``" not in page.replace("```", "")
