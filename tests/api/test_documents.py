"""The documents that describe the api, and the pages that show them."""

import gzip
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema

from api.routes.pages import ASSETS, PAGES
from common.events import CATALOGUE, ContractListed, Topic, encode
from support.market_rows import NOW
from support.served_api import ServedApi

# The schema of AsyncAPI 3.0.0 as npm's @asyncapi/specs 6.11.1 carries it (Apache-2.0), gzipped.
ASYNCAPI_SCHEMA = Path(__file__).with_name("asyncapi-3.0.0.schema.json.gz")

SERVED = {
    "/api/v1/contracts": ["get"],
    "/api/v1/contracts/couriers": ["get"],
    "/api/v1/contracts/export": ["get"],
    "/api/v1/contracts/deals": ["get"],
    "/api/v1/contracts/taxonomy": ["get"],
    "/api/v1/contracts/{contract_id}": ["get"],
    "/api/v1/contracts/{contract_id}/bids": ["get"],
    "/api/v1/contracts/{contract_id}/history": ["get"],
    "/api/v1/data/ingest": ["post"],
    "/api/v1/data/runs": ["get"],
    "/api/v1/data/runs/{run_id}": ["get"],
    "/api/v1/data/stats": ["get"],
    "/api/v1/regions": ["get"],
    "/api/v1/schedules": ["get", "post"],
    "/api/v1/schedules/audit": ["get"],
    "/api/v1/schedules/budget": ["get"],
    "/api/v1/schedules/preview": ["post"],
    "/api/v1/schedules/requests/{request_id}": ["get"],
    "/api/v1/schedules/{schedule_id}": ["get", "put", "patch", "delete"],
    "/api/v1/schedules/{schedule_id}/backfill": ["post"],
    "/api/v1/schedules/{schedule_id}/budget": ["get"],
    "/api/v1/schedules/{schedule_id}/next": ["get"],
    "/api/v1/schedules/{schedule_id}/pause": ["post"],
    "/api/v1/schedules/{schedule_id}/resume": ["post"],
    "/api/v1/schedules/{schedule_id}/skip-next": ["post"],
    "/api/v1/schedules/{schedule_id}/slots": ["get"],
    "/api/v1/schedules/{schedule_id}/trigger": ["post"],
    "/api/v1/stations": ["get"],
    "/api/v1/system/hooks": ["get"],
    "/api/v1/systems": ["get"],
    "/api/v1/systems/{system_id}": ["get"],
    "/api/v1/types": ["get"],
    "/api/v1/types/{type_id}": ["get"],
    "/api/v1/types/{type_id}/prices": ["get"],
    "/health": ["get"],
    "/health/detailed": ["get"],
    "/health/ready": ["get"],
}
FILES = {"application/x-ndjson", "text/csv", "application/vnd.apache.parquet"}
PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


def operations(document: Any) -> dict[str, Any]:
    return {
        f"{method} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


async def test_the_openapi_document_lists_what_is_served_and_nothing_else(stranded: ServedApi) -> None:
    document = (await stranded.get("/openapi.json")).content

    assert {path: list(methods) for path, methods in sorted(document["paths"].items())} == SERVED
    assert document["servers"] == [{"url": "/", "description": "This instance"}]


async def test_every_operation_writes_out_its_answers(stranded: ServedApi) -> None:
    document = (await stranded.get("/openapi.json")).content

    for name, operation in operations(document).items():
        answers = operation["responses"]
        success = next(answer for status, answer in answers.items() if status.startswith("2") and status != "204")
        if name == "get /api/v1/contracts/export":
            assert set(success["content"]) == FILES, name
        else:
            assert success["content"]["application/json"]["schema"]["$ref"], name
        errors = {status: answer for status, answer in answers.items() if not status.startswith("2")}
        assert {"422", "500"} <= set(errors), name
        for error in errors.values():
            assert error["content"] == {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
            }
        assert operation["summary"]
        assert operation["description"]
        assert operation["tags"]
    referred = set(re.findall(r'#/components/schemas/(\w+)"', json.dumps(document)))
    assert referred == set(document["components"]["schemas"])


async def test_operation_ids_are_stable_and_each_their_own(stranded: ServedApi) -> None:
    document = (await stranded.get("/openapi.json")).content

    assert sorted(operation["operationId"] for operation in operations(document).values()) == [
        "audit_schedules",
        "backfill_schedule",
        "change_schedule",
        "create_schedule",
        "delete_schedule",
        "export_contracts",
        "find_types",
        "ingest",
        "list_contracts",
        "list_couriers",
        "list_deals",
        "list_hooks",
        "list_regions",
        "list_runs",
        "list_schedules",
        "list_slots",
        "list_stations",
        "list_systems",
        "pause_schedule",
        "preview_schedule",
        "preview_slots",
        "read_budget",
        "read_budget_of_schedule",
        "read_contract",
        "read_contract_bids",
        "read_contract_history",
        "read_health",
        "read_health_in_detail",
        "read_readiness",
        "read_run",
        "read_schedule",
        "read_schedule_request",
        "read_stats",
        "read_system",
        "read_taxonomy",
        "read_type",
        "read_type_prices",
        "replace_schedule",
        "resume_schedule",
        "skip_next_slot",
        "trigger_schedule",
    ]


async def test_lists_are_documented_as_repeated_query_parameters(stranded: ServedApi) -> None:
    document = (await stranded.get("/openapi.json")).content

    parameters = {each["name"]: each for each in document["paths"]["/api/v1/contracts"]["get"]["parameters"]}
    assert {each["in"] for each in parameters.values()} == {"query"}
    assert parameters["region_id"]["schema"]["type"] == "array"
    assert all(each["description"] for each in parameters.values())


async def test_the_asyncapi_document_is_valid_and_complete(stranded: ServedApi) -> None:
    document = (await stranded.get("/asyncapi.json")).content

    with gzip.open(ASYNCAPI_SCHEMA) as packed:
        jsonschema.Draft7Validator(json.load(packed)).validate(document)
    assert {channel["address"] for channel in document["channels"].values()} == {topic.value for topic in Topic}
    assert set(document["components"]["messages"]) == {event.__name__ for event in CATALOGUE}
    told = [message["name"] for message in document["components"]["messages"].values()]
    assert told == [event.type for event in CATALOGUE]
    assert [each["channel"]["$ref"] for each in document["operations"].values() if each["action"] == "receive"] == [
        "#/channels/commands"
    ]
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document)):
        found = document
        for step in reference.split("/"):
            found = found[step]


async def test_an_event_as_it_travels_is_what_its_schema_says(stranded: ServedApi) -> None:
    document = (await stranded.get("/asyncapi.json")).content
    event = ContractListed(
        contract_id=1,
        region_id=10000002,
        contract_type="auction",
        issuer_id=1,
        issuer_corporation_id=2,
        date_issued=NOW,
        date_expired=NOW,
        price=Decimal("12.50"),
    )

    schema = {"$ref": "#/components/schemas/ContractListed", "components": document["components"]}
    jsonschema.validate(json.loads(encode(event)), schema)


async def test_every_asset_of_a_page_is_served_from_here(stranded: ServedApi) -> None:
    for path in ("/docs", "/redoc", "/asyncapi"):
        page = await stranded.get(path)
        addresses = re.findall(r'(?:src|href)="([^"]+)"', page.body.decode())
        assert page.headers["Content-Type"].startswith("text/html")
        assert "default-src 'self'" in page.headers["Content-Security-Policy"]
        assert len(addresses) >= 4
        for address in addresses:
            assert address.startswith("/")
            assert (await stranded.get(address)).status == 200


async def test_an_asset_is_the_same_packed_and_unpacked(stranded: ServedApi) -> None:
    for name, media_type in ASSETS.items():
        packed = await stranded.get(f"/docs/assets/{name}", headers={"Accept-Encoding": "gzip"})
        plain = await stranded.get(f"/docs/assets/{name}", headers={"Accept-Encoding": "identity"})
        assert packed.body == plain.body
        assert plain.headers["Content-Type"].startswith(media_type)
        assert "Content-Encoding" not in plain.headers


async def test_nothing_but_assets_is_served_as_one(stranded: ServedApi) -> None:
    for name in ("NOTICE.md", "..%2Fdocs.html", "swagger-ui.css.gz", "nothing.js"):
        assert (await stranded.get(f"/docs/assets/{name}")).status == 404


def test_what_is_not_ours_is_named_with_its_version_and_licence() -> None:
    packages = json.loads((PAGES / "assets" / "versions.json").read_text())

    carried = {path.name.removesuffix(".gz") for path in (PAGES / "assets").glob("*.gz")}
    assert {name for package in packages for name in package["files"]} == carried
    assert all(package["version"] and package["license"] for package in packages)
    assert sum(path.stat().st_size for path in (PAGES / "assets").rglob("*")) < 6_000_000
