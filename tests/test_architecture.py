"""The imports of the package are those that docs/architecture.md allows."""

import ast
import graphlib
import re
from pathlib import Path

import pytest

import tinyseg

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tinyseg"


def allowed():
    """What each room may import, from the table of the page."""
    table = (ROOT / "docs/architecture.md").read_text().split("| room |")[1].split("\n\n")[0]
    rows = [line.split("|") for line in table.splitlines()[2:]]
    return {names(row[1])[0]: set(names(row[3])) for row in rows}


def names(cell):
    return re.findall(r"`(\w+)`", cell)


def rooms():
    """Folders and files of the package; its ``__init__`` and ``__main__`` are none."""
    found = {path.stem for path in PACKAGE.glob("*.py") if not path.stem.startswith("__")}
    return found | {path.parent.name for path in PACKAGE.glob("*/__init__.py")}


def imports(source):
    """Dotted names that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rooms_in(modules):
    """Rooms among dotted names."""
    inside = [name.split(".")[1:2] for name in modules if name.split(".")[0] == "tinyseg"]
    named = {part for parts in inside for part in parts}
    # The front door brings its names into the package itself.
    offered = named & (set(tinyseg.__all__) - {"__version__"})
    return named & rooms() | ({"front"} if offered else set())


def test_every_room_is_in_the_table():
    assert set(allowed()) == rooms()


@pytest.mark.parametrize("room", sorted(rooms()))
def test_imports(room):
    inside = PACKAGE / room
    paths = inside.rglob("*.py") if inside.is_dir() else [inside.with_suffix(".py")]
    for path in paths:
        taken = rooms_in(imports(path.read_text())) - {room}
        excess = taken - allowed()[room]
        assert not excess, f"{path.relative_to(ROOT)} may not import {', '.join(sorted(excess))}"


def test_no_room_stands_on_itself():
    order = list(graphlib.TopologicalSorter(allowed()).static_order())
    assert order[-1] in ("cli", "experiments", "front")


def test_imports_inside_functions_are_seen():
    source = "import tinyseg.zoo\ndef f():\n    from tinyseg import plan, __version__\n"
    assert rooms_in(imports(source)) == {"zoo", "plan"}


def test_names_of_the_front_door_are_seen():
    assert rooms_in(imports("def f():\n    from tinyseg import quantize\n")) == {"front"}


# Arguments that users choose one by one: options of a verb, and those of a network in a plan.
OPTION_LISTS = {
    "zoo/attention_unet.py": {"attention_unet"},
    "zoo/blu_net.py": {"blu_net"},
    "zoo/unet.py": {"u_shape"},
    "zoo/vit.py": {"vit"},
    "front/networks.py": {"quantize"},
    "verification/verify.py": {"verify"},
}
LINES, FUNCTION_LINES, PARAMETERS = 350, 60, 7


def functions(path):
    """Name, lines and parameters of each function of a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            count = len(node.args.posonlyargs + node.args.args + node.args.kwonlyargs)
            yield node, node.end_lineno - node.lineno + 1, count


def takes_options(path, node):
    """Whether a function is a verb of the command line or one of the lists above."""
    inside = path.relative_to(PACKAGE)
    verb = inside.parts[0] == "cli" and bool(node.decorator_list)
    return verb or node.name in OPTION_LISTS.get(str(inside), ())


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_files_and_functions_are_short(path):
    assert len(path.read_text().splitlines()) <= LINES
    for node, lines, parameters in functions(path):
        if not takes_options(path, node):
            assert lines <= FUNCTION_LINES, node.name
            assert parameters <= PARAMETERS, node.name
