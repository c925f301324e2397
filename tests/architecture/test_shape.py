"""The habits that no linter knows."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path
    for part in ("libs", "services", "tools")
    for path in (ROOT / part).rglob("*.py")
    if "versions" not in path.parts
)
DRAWERS = re.compile(r"^(utils?|helpers?|managers?|misc|common_\w+)$")
LONGEST = 350
SERVICES = ("api", "ingestor", "scheduler")


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_found_where_every_service_is(service: str) -> None:
    package = ROOT / "services" / service / "src" / service

    for name in ("main.py", "settings.py", "__main__.py"):
        assert (package / name).is_file(), name


def test_no_module_is_a_drawer_for_what_has_no_place() -> None:
    assert [path for path in SOURCES if DRAWERS.match(path.stem) or DRAWERS.match(path.parent.name)] == []


def test_every_module_can_be_read_in_one_sitting() -> None:
    assert [path for path in SOURCES if len(path.read_text().splitlines()) > LONGEST] == []


def test_nothing_is_opened_connected_or_started_at_import() -> None:
    started = {"create_engine", "create_async_engine", "KafkaBroker", "FastAPI", "read_settings", "open", "connect"}

    found = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in SOURCES
        for call in _calls_at_import(ast.parse(path.read_text()))
        if _name(call.func) in started
    ]

    assert found == []


def test_every_public_class_says_what_it_is() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in SOURCES
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and ast.get_docstring(node) is None
    ]

    assert found == []


def _calls_at_import(module: ast.Module) -> Iterator[ast.Call]:
    for statement in module.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign | ast.Expr):
            yield from (node for node in ast.walk(statement) if isinstance(node, ast.Call))


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
