"""What is known of upstream is held by tests that exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "upstream.md"
HEAD = "|---|---|---|"
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def facts() -> list[list[str]]:
    """The rows of all tables: fact, what we do, and the tests."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    heads = {number - 1 for number, line in enumerate(lines) if line == HEAD}
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for number, line in enumerate(lines)
        if line.startswith("|") and line != HEAD and number not in heads
    ]


def test_every_fact_says_what_we_do_about_it_and_names_a_test() -> None:
    assert len(facts()) > 70
    assert [row for row in facts() if len(row) != 3 or not all(row) or not TEST.search(row[-1])] == []


@pytest.mark.parametrize("path", sorted({path for path, _ in TEST.findall(PAGE.read_text(encoding="utf-8"))}))
def test_the_tests_that_hold_the_facts_exist(path: str) -> None:
    named = {name for of, name in TEST.findall(PAGE.read_text(encoding="utf-8")) if of == path}

    assert sorted(named - _tests_in(ROOT / path)) == []


def test_every_quirk_is_in_the_table() -> None:
    named = {name for _, name in TEST.findall(PAGE.read_text(encoding="utf-8"))}
    quirks = {
        name for path in sorted((ROOT / "tests" / "ingestor").glob("test_quirks*.py")) for name in _tests_in(path)
    }

    assert sorted(quirks - named) == []


@cache
def _tests_in(path: Path) -> set[str]:
    module = ast.parse(path.read_text(encoding="utf-8"))
    functions = (node for node in module.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {node.name for node in functions if node.name.startswith("test_")}
