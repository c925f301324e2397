"""Whether what a filter names exists at all: a name that stands for nothing is an error, not an empty list."""

from typing import Any

from api.nearest import suggestion
from api.queries.arguments import Arguments
from api.schemas.contract_filters import ContractFilters, ContractType

# What is on offer or on the list is known, also where the static data is older than it.
_KNOWN = {
    "region_id": "SELECT FROM regions WHERE region_id = asked",
    "system_id": "SELECT FROM systems WHERE system_id = asked",
    "station_id": (
        "SELECT FROM stations WHERE station_id = asked UNION ALL SELECT FROM contracts WHERE start_location_id = asked"
    ),
    "type_id": (
        "SELECT FROM types WHERE type_id = asked UNION ALL"
        " SELECT FROM contract_items WHERE type_id = asked AND is_included"
    ),
    "group_id": "SELECT FROM groups WHERE group_id = asked",
    "category_id": "SELECT FROM categories WHERE category_id = asked",
    "issuer_id": ("SELECT FROM names WHERE entity_id = asked UNION ALL SELECT FROM contracts WHERE issuer_id = asked"),
    "issuer_corporation_id": (
        "SELECT FROM names WHERE entity_id = asked UNION ALL SELECT FROM contracts WHERE issuer_corporation_id = asked"
    ),
}
_ATTRIBUTES = "SELECT FROM dynamic_item_attributes WHERE attribute_id = asked"
_TYPES = "SELECT FROM contracts WHERE type = asked"


def shows_what_it_names(filters: ContractFilters) -> bool:
    """Whether any contract within the filters proves that whatever they name exists: of nothing they name several."""
    return all(len(getattr(filters, name)) <= 1 for name in (*_KNOWN, "contract_type"))


async def unknown_values(connection: Any, filters: ContractFilters) -> dict[str, str]:
    """What is wrong with the filters, by parameter: values that stand for nothing."""
    arguments = Arguments()
    questions = {
        name: _question(known, "bigint", arguments.place(asked))
        for name, known in _KNOWN.items()
        if (asked := getattr(filters, name))
    }
    if filters.attributes:
        asked = [each.attribute_id for each in filters.attributes]
        questions["attribute"] = _question(_ATTRIBUTES, "int", arguments.place(asked))
    new_words = [word for word in filters.contract_type if word not in set(ContractType)]
    if new_words:
        questions["contract_type"] = _question(_TYPES, "text", arguments.place(new_words))
    if not questions:
        return {}
    columns = ", ".join(f"{question} AS {name}" for name, question in questions.items())
    row = await connection.fetchrow(f"SELECT {columns}", *arguments)
    return {name: _message(name, unknown[0]) for name, unknown in row.items() if unknown}


def _question(known: str, kind: str, asked: str) -> str:
    return f"ARRAY(SELECT asked FROM unnest({asked}::{kind}[]) AS asked WHERE NOT EXISTS ({known}))"  # noqa: S608


def _message(name: str, value: Any) -> str:
    if name != "contract_type":
        return f"nothing has the id {value}"
    return f"is no type of contract{suggestion(value, ContractType)}"
