"""Small faults of a file: in Python by cosmic-ray, in C++ by universalmutator."""

from __future__ import annotations

import ast
import collections
import contextlib
import dataclasses
import difflib
import functools
import io
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import cosmic_ray.plugins
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from universalmutator.mutator import mutants_regexp

from tests.mutants.operators import OPERATORS

# What no test can see: a dataclass is frozen, and zip's lengths are checked, against slips of the
# future.
_INVISIBLE_KEYWORDS = {"frozen", "strict"}
# A decorator that is gone is either not seen (a cache) or breaks the import; an exception that is
# not caught, or a power or shift for a sum, is no slip that anyone makes.
_LEFT_OUT = re.compile(
    "RemoveDecorator|ExceptionReplacer|VariableReplacer|VariableInserter|.*_Is(Not)?"
    "|ReplaceBinaryOperator_.*_(Pow|[LR]Shift|BitXor|Mod)|ReplaceBinaryOperator_[^B].*_Bit.*"
    "|ReplaceBinaryOperator_Bit.*_[^B].*|ReplaceUnaryOperator_.*_(UAdd|USub|Invert|Not)"
)

# Another name with a number in it does not compile, nor does most of what these rules make.
_C_NAMES = re.compile(r"[A-Za-z_]\w*\d\w*")
_C_LEFT_OUT = ("break;", "continue;", "==> %", "==> =")


@dataclasses.dataclass(frozen=True)
class Fault:
    """One change of one file.

    Attributes:
        file: the file, relative to the checkout.
        line: where it is, from 1.
        operator: kind of the change.
        before, after: the changed lines, without what stands around them.
        content: the file with the fault in.
    """

    file: str
    line: int
    operator: str
    before: str
    after: str
    content: str = dataclasses.field(repr=False, compare=False)

    @property
    def key(self) -> str:
        """Its name in the list of results."""
        return f"{self.file}:{self.line} {self.operator}: {self.before} => {self.after}"


def sample(file: Path, root: Path, seed: int) -> Iterator[Fault]:
    """Yield faults of a file in random order, one of each line first, then a second one, and so on.

    The order depends on the seed, the file's name and its text alone.
    """
    source = (root / file).read_text()
    kind = _python_places if file.suffix == ".py" else _cpp_places
    places = list(kind(source))
    random.Random(f"{seed} {file}").shuffle(places)
    lines: collections.Counter[int] = collections.Counter()
    turns = []
    for place in places:
        turns.append(lines[place.line])
        lines[place.line] += 1
    for _, place in sorted(zip(turns, places, strict=True), key=lambda pair: pair[0]):
        content = place.apply()
        if content is not None:
            yield _fault(file, source, content, place.operator)


class _Place(NamedTuple):
    line: int
    operator: str
    # Returns the text with the fault in, None if it means the same.
    apply: Callable[[], str | None]


def _python_places(source: str) -> Iterator[_Place]:
    nodes, meaning = list(ast_nodes(get_ast(source))), _meaning(source)

    def apply(operator: Operator, occurrence: int) -> str | None:
        changed = mutate_code(source, operator, occurrence)
        with contextlib.suppress(SyntaxError):
            if changed is not None and _meaning(changed) != meaning:
                return changed
        return None

    for operator in _operators():
        places = (place for node in nodes for place in operator.mutation_positions(node))
        for occurrence, (start, _) in enumerate(places):
            name = type(operator).__name__
            yield _Place(start[0], name, functools.partial(apply, operator, occurrence))


def _operators() -> Iterator[Operator]:
    for name in cosmic_ray.plugins.operator_names():
        kind = cosmic_ray.plugins.get_operator(name)
        if not _LEFT_OUT.fullmatch(kind.__name__):
            yield kind()
    yield from (kind() for kind in OPERATORS)


def _meaning(source: str) -> str:
    """Return what a module does, without annotations and other things that nothing can see."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.arg | ast.AnnAssign):
            node.annotation = None
        elif isinstance(node, ast.FunctionDef):
            node.returns = None
        elif isinstance(node, ast.Call):
            node.keywords = [k for k in node.keywords if k.arg not in _INVISIBLE_KEYWORDS]
            # What cosmic-ray leaves of an argument that was dropped.
            node.keywords = [k for k in node.keywords if ast.unparse(k) != "**{}"]
    return ast.dump(tree)


def _cpp_places(source: str) -> Iterator[_Place]:
    lines = source.splitlines(keepends=True)
    with contextlib.redirect_stdout(io.StringIO()):
        rules = ["universal.rules", "c_like.rules", "cpp.rules"]
        found = mutants_regexp(lines, rules, ignorePatterns=[r"^#", r"^namespace|^}"])
    for number, text, (rule, _), _ in found:
        old = lines[number - 1]
        if any(part in rule for part in _C_LEFT_OUT):
            continue
        if _C_NAMES.findall(text) == _C_NAMES.findall(old) and text.split() != old.split():
            changed = "".join([*lines[: number - 1], text, *lines[number:]])
            yield _Place(number, rule, lambda changed=changed: changed)


def _fault(file: Path, source: str, content: str, operator: str) -> Fault:
    old, new = source.splitlines(), content.splitlines()
    blocks = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    changes = [block for block in blocks if block[0] != "equal"]
    _, begin, _, new_begin, _ = changes[0]
    _, _, end, _, new_end = changes[-1]
    before = " ".join(line.strip() for line in old[begin:end])
    after = " ".join(line.strip() for line in new[new_begin:new_end])
    return Fault(str(file), begin + 1, operator, before, after, content)
