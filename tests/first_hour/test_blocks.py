"""Code blocks of the documentation name verbs, options and modules that are there."""

import ast
import importlib.util
import re

import click
import pytest

from tests.first_hour.blocks import MARK, ROOT, blocks, commands
from tinyseg.cli import cli

SHELL, PYTHON = blocks("sh"), blocks("python")
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.M))
VARIABLES = {*re.findall(r"^([A-Z]+) \?=", MAKEFILE, re.M), "IMAGES"}
name = pytest.mark.parametrize


def test_blocks_are_found():
    assert len(SHELL) > 20
    assert len(PYTHON) > 8
    assert {block.page for block in SHELL} > {"README.md", "docs/firmware.md", "docs/fitting.md"}


@name("block", [*SHELL, *PYTHON], ids=lambda block: block.name)
def test_what_is_not_run_says_why(block):
    if MARK.strip() in block.text:
        assert len(block.reason.split()) > 2, f"{block.name}: the first line is to say why"


@name("block", SHELL, ids=lambda block: block.name)
def test_verbs_and_options_exist(block):
    for words in commands(block):
        program, *rest = words
        if program.endswith("make") and "-f" not in rest:
            assert_make(rest)
        elif program == "tinyseg":
            assert_options(rest)


def assert_make(words):
    given = [word.partition("=")[0] for word in words if "=" in word]
    assert {word for word in words if "=" not in word} <= TARGETS, words
    assert {re.sub("^ARGS_.*", "ARGS", variable) for variable in given} <= VARIABLES, words


def assert_options(words):
    """Every option of a command is one of its verb; values are not looked at."""
    command = cli
    for number, word in enumerate(words):
        if not isinstance(command, click.Group):
            words = words[number:]
            break
        command = command.commands[word]
    taking = [command]
    if command.context_settings.get("ignore_unknown_options"):
        taking.append(cli.commands[words[0]])  # To which it passes them on.
    options = [option for verb in taking for option in verb.params]
    known = {text for option in options for text in (*option.opts, *option.secondary_opts)}
    for word in words:
        if word.startswith("-") and not re.fullmatch(r"-\d.*", word):
            assert word.partition("=")[0] in known, f"{command.name} has no {word}"


@name("block", PYTHON, ids=lambda block: block.name)
def test_modules_and_names_exist(block):
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("tinyseg"):
            assert importlib.util.find_spec(node.module), node.module
            module = importlib.import_module(node.module)
            for alias in node.names:
                found = hasattr(module, alias.name)
                assert found or importlib.util.find_spec(f"{node.module}.{alias.name}")
