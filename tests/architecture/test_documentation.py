"""The written lists are held to the code."""

import json
import re
import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic_core import PydanticUndefined

from api.routing import include_routers
from common.events import CATALOGUE, Event, Topic, encode
from common.rights import EACH_ITS_OWN, SERVICES, TAKERS, WRITERS
from common.settings import Settings
from common.tables import metadata

ROOT = Path(__file__).parents[2]
SETTINGS_MODULES = (
    "common.settings",
    "api.settings",
    "ingestor.settings",
    "scheduler.settings",
    "esi_simulator.settings",
    "cli.settings",
)
COMPOSE_ONLY = {"POSTGRES_PASSWORD", "POSTGRES_SHARED_BUFFERS", "KAFKA_PORT", "BUILD_NETWORK"}
EXAMPLES = {
    "API_HOOKS",
    "DATABASE_URL",
    "ESI_BASE_URL",
    "ESI_SIM_START",
    "ESI_USER_AGENT",
    "FREEPORT_API_KEY",
    "KAFKA_BOOTSTRAP_SERVERS",
}
"""Settings whose line shows what a value looks like, because they have no default that could stand there."""
NOT_OURS = {".git", ".venv", ".freeport", "build", "dist", "secrets", "node_modules", "__pycache__"}


def text_of(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def cells(markdown: str, first: str) -> list[list[str]]:
    """The rows of the table whose first column is named `first`."""
    lines = iter(markdown.splitlines())
    for line in lines:
        if line.startswith(f"| {first} |"):
            break
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows[1:]


def names_in(cell: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", cell))


# Events


def test_every_topic_and_its_event_types_are_listed() -> None:
    written = {cells_of[0].strip("`"): names_in(cells_of[2]) for cells_of in cells(text_of("docs/events.md"), "topic")}

    assert written == {topic.value: {event.type for event in CATALOGUE if event.topic is topic} for topic in Topic}


def test_no_document_names_a_topic_or_a_type_that_does_not_exist() -> None:
    known = {topic.value for topic in Topic} | {event.type for event in CATALOGUE}
    documents = [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]

    named = {
        name
        for document in documents
        for name in re.findall(r"\bfreeport\.[a-z._-]+\.v\d+", document.read_text(encoding="utf-8"))
    }

    assert named <= known


def section_of(event: type[Event]) -> str:
    _, _, after = text_of("docs/events.md").partition(f"### `{event.type}`\n")
    return after.partition("\n### ")[0]


@pytest.mark.parametrize("event", CATALOGUE, ids=lambda event: event.type)
def test_every_field_of_an_event_is_explained(event: type[Event]) -> None:
    explained = set[str]().union(*(names_in(row[0]) for row in cells(section_of(event), "field")))

    assert explained == {field.name for field in msgspec.structs.fields(event)}


@pytest.mark.parametrize("event", CATALOGUE, ids=lambda event: event.type)
def test_the_example_of_an_event_is_what_is_sent(event: type[Event]) -> None:
    examples = re.findall(r"```json\n(.*?)\n```", section_of(event), re.DOTALL)

    assert len(examples) == 1
    assert json.loads(encode(msgspec.json.decode(examples[0], type=event))) == json.loads(examples[0])


# Settings


def settings_classes() -> list[type[Settings]]:
    modules = [import_module(name) for name in SETTINGS_MODULES]
    return [
        kind
        for module in modules
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Settings)
    ]


def defaults() -> dict[str, Any]:
    """Every setting and its default; where several classes read it, one that has one."""
    found: dict[str, Any] = {}
    for kind in settings_classes():
        for name, field in kind.model_fields.items():
            if found.get(name.upper()) in {None, PydanticUndefined}:
                found[name.upper()] = field.default
    return found


def documented() -> dict[str, str]:
    return dict(re.findall(r"^#?([A-Z][A-Z0-9_]*)=(.*)$", text_of(".env.example"), re.MULTILINE))


def test_every_module_with_settings_is_looked_at() -> None:
    found = [path for part in ("libs", "services", "tools") for path in (ROOT / part).rglob("settings.py")]

    assert {f"{path.parent.name}.settings" for path in found} <= set(SETTINGS_MODULES)


def test_every_setting_is_in_env_example_and_nothing_else_is() -> None:
    assert set(documented()) == set(defaults()) | COMPOSE_ONLY


def test_what_the_compose_file_reads_is_in_env_example() -> None:
    compose = text_of("docker-compose.yml")

    assert COMPOSE_ONLY <= set(re.findall(r"\$\{([A-Z_]+)", compose)) <= set(documented())


@pytest.mark.parametrize("name", sorted(set(documented()) - COMPOSE_ONLY - EXAMPLES))
def test_what_stands_in_env_example_is_the_default(name: str) -> None:
    default, written = defaults()[name], documented()[name]

    if default is None:
        assert not written
    elif isinstance(default, tuple):
        assert written == ",".join(str(part) for part in default)
    elif isinstance(default, int | float) and not isinstance(default, bool):
        assert float(written) == default
    else:
        assert written == (str(default).lower() if isinstance(default, bool) else str(default))


# Routes


def served() -> set[str]:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    include_routers(app)
    described = {f"{method.upper()} {path}" for path, methods in app.openapi()["paths"].items() for method in methods}
    return described | {f"GET {route.path}" for route in pages()}


def pages() -> list[APIRoute]:
    """What is served without being in the OpenAPI document: the pages, not their assets, and what Prometheus reads."""
    routers = [import_module(f"api.routes.{name}").router for name in ("pages", "metrics")]
    return [
        route for router in routers for route in router.routes if isinstance(route, APIRoute) and "{" not in route.path
    ]


def test_every_route_is_in_the_readme_and_none_that_is_not_served() -> None:
    written = set[str]().union(*(names_in(row[0]) for row in cells(text_of("README.md"), "path")))

    assert written == served()


# Tables


def table_writers() -> dict[str, str]:
    return {row[0].strip("`"): row[1] for row in cells(text_of("docs/architecture.md"), "table")}


def test_every_table_is_in_the_architecture_with_the_writer_that_has_the_right() -> None:
    assert table_writers() == WRITERS


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_writes_no_table_of_another(service: str) -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "services" / service / "src").rglob("*.py"))

    written = {
        table
        for table in metadata.tables
        if re.search(
            rf"\b(?:insert|update|delete)\(\s*(?:tables\.)?{table}\b"
            rf"|\b(?:INSERT INTO|UPDATE|DELETE FROM)\s+{table}\b"
            rf"|copy_records_to_table\(\s*\"{table}\"",
            code,
        )
    }

    others = {table for table in written if WRITERS[table] not in {service, EACH_ITS_OWN}}
    assert others <= {table for table, taker in TAKERS.items() if taker == service}


# Targets


def test_make_alone_lists_every_target() -> None:
    targets = re.search(r"^\.PHONY: (.*)$", text_of("Makefile"), re.MULTILINE)
    assert targets is not None

    listed = subprocess.run(["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True)

    assert re.findall(r"^  make (\S+)", listed.stdout, re.MULTILINE) == targets.group(1).split()


def test_no_document_names_a_target_that_does_not_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", text_of("Makefile"), re.MULTILINE))
    documents = [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]

    named = {
        name
        for document in documents
        for name in re.findall(r"(?:`|^|\$ )make ([a-z-]+)", document.read_text(encoding="utf-8"), re.MULTILINE)
    }

    assert named <= targets


def test_links_between_documents_lead_somewhere() -> None:
    documents = [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]

    links = [
        (document, link)
        for document in documents
        for link in re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8"))
    ]

    assert [f"{document.name}: {link}" for document, link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", ["README.md", "docs/architecture.md"])
def test_files_that_a_document_names_exist(document: str) -> None:
    """Paths are written from the repository's root, or from the folder of the packages' code."""
    bases = [
        ROOT,
        *ROOT.glob("libs/*/src"),
        *ROOT.glob("services/*/src"),
        *ROOT.glob("services/*/src/*"),
        *ROOT.glob("tools/*/src"),
    ]

    named = {name.split(":")[0] for name in names_in(text_of(document)) if re.match(r"[a-z_/]+\.py(:|$)", name)}

    assert sorted(name for name in named if not any((base / name).exists() for base in bases)) == []


# The repository


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    elsewhere = re.compile(r"\.\./shared|(?<![\w.:/-])/(?:work|Users|home/(?!you\b)\w+)/")
    files = [
        path
        for path in ROOT.rglob("*")
        if path.is_file()
        and not NOT_OURS & set(path.relative_to(ROOT).parts)
        and not any(part.endswith("_cache") or part == ".hypothesis" for part in path.relative_to(ROOT).parts)
        and path != Path(__file__)
    ]

    knowing = [str(path.relative_to(ROOT)) for path in files if elsewhere.search(path.read_text("utf-8", "ignore"))]

    assert knowing == []
