"""Filters of what a contract offers: what one of its items, `contract_items o` of `contracts c`, has to be."""

from collections.abc import Iterable, Sequence

from api.queries.arguments import Arguments
from api.queries.conditions import in_range, one_of
from api.queries.pricing import BLUEPRINT
from api.schemas.contract_filters import ITEM_RANGES, ContractFilters
from common.tables.contracts import CATEGORY_FACET, GROUP_FACET

IS_COPY = "(o.is_blueprint_copy IS TRUE OR o.runs >= 0)"
"""As the ingestor judges: an original has no flag, or it is false; and no runs, or -1."""
OFFERS = "EXISTS (SELECT FROM contract_items o"
_MOST = {"runs": "c.most_runs", "me": "c.most_material_efficiency", "te": "c.most_time_efficiency"}
_OF_CONTRACT = "o.contract_id = c.contract_id AND o.is_included"
_OF_ITEMS = {"runs": "o.runs", "me": "o.material_efficiency", "te": "o.time_efficiency"}


def most(filters: ContractFilters, arguments: Arguments) -> list[str]:
    """What no contract is without that offers an item within the bounds."""
    least = {column: getattr(filters, f"{name}_min") for name, column in _MOST.items()}
    return [f"{column} >= {arguments.place(end)}::int" for column, end in least.items() if end is not None]


def rolls_unread(filters: ContractFilters, arguments: Arguments) -> str:
    """That it offers an item that may have these attributes, and none that is known to."""
    unread = "EXISTS (SELECT FROM dynamic_items d WHERE d.item_id = o.item_id AND d.state <> 'stored')"
    seen = [*kinds(filters, arguments), *research(filters, arguments)]
    return f"{offers([*seen, unread])} AND NOT {offers(bounds(filters, arguments))}"


def facets(filters: ContractFilters) -> list[list[int]]:
    """The types, groups and categories that are asked for, as `contracts.facets` has them; each list needs one."""
    asked = [
        filters.type_id,
        [group_id + GROUP_FACET for group_id in filters.group_id],
        [category_id + CATEGORY_FACET for category_id in filters.category_id],
    ]
    return [each for each in asked if each]


def offers(bounds: Sequence[str]) -> str:
    """That one offered item is within all `bounds`.

    OFFSET 0 has it asked of one contract after the other, not of all items at once: how many items are within several
    bounds the planner guesses wrong by a factor of twenty, and then reads them all for a page of fifty.
    """
    return f"{OFFERS} WHERE {' AND '.join([_OF_CONTRACT, *bounds])} OFFSET 0)"


def bounds(filters: ContractFilters, arguments: Arguments) -> list[str]:
    """All that is asked for of one item."""
    return [*kinds(filters, arguments), *research(filters, arguments), *_rolls(filters, arguments)]


def kinds(filters: ContractFilters, arguments: Arguments) -> Iterable[str]:
    """That it is of a type, of a group and of a category that are asked for."""
    yield from one_of("o.type_id", filters.type_id, "bigint", arguments)
    if filters.group_id:
        groups = arguments.place(filters.group_id)
        yield f"o.type_id IN (SELECT type_id FROM types WHERE group_id = ANY({groups}::bigint[]))"  # noqa: S608
    if filters.category_id:
        categories = arguments.place(filters.category_id)
        of_categories = f"SELECT group_id FROM groups WHERE category_id = ANY({categories}::bigint[])"  # noqa: S608
        yield f"o.type_id IN (SELECT type_id FROM types WHERE group_id IN ({of_categories}))"  # noqa: S608


def is_a_kind(filters: ContractFilters, arguments: Arguments) -> str:
    """That a type is of all kinds that are asked for, and a blueprint if copies are: else nobody can offer one.

    PostgreSQL knows once, before it looks at a contract. A type that is in no static data may be anything; copies are
    told of blueprints alone.
    """
    kinds = []
    if filters.group_id:
        kinds.append(f"g.group_id = ANY({arguments.place(filters.group_id)}::bigint[])")
    if filters.category_id:
        kinds.append(f"g.category_id = ANY({arguments.place(filters.category_id)}::bigint[])")
    if filters.is_bpc:
        kinds.append(f"(g.category_id = {BLUEPRINT}) IS NOT FALSE")
    types = "types t"
    if filters.type_id:
        asked = arguments.place(filters.type_id)
        types = f"unnest({asked}::bigint[]) AS asked (type_id) LEFT JOIN types t USING (type_id)"
    return f"(SELECT EXISTS (SELECT FROM {types} LEFT JOIN groups g USING (group_id) WHERE {' AND '.join(kinds)}))"  # noqa: S608


def research(filters: ContractFilters, arguments: Arguments) -> Iterable[str]:
    """That it is a copy, and researched as it is asked for."""
    for name in ITEM_RANGES:
        yield from in_range(_OF_ITEMS[name], filters, name, arguments)
    if filters.runs_max is not None and filters.runs_min is None:
        yield "o.runs >= 0"
    if filters.is_bpc:
        yield IS_COPY


def _rolls(filters: ContractFilters, arguments: Arguments) -> Iterable[str]:
    """That the item has these attributes.

    Its value is asked for, and then compared: asked whether it has such a value, the planner would at times look at all
    items that do, once for each contract.
    """
    for wanted in filters.attributes:
        attribute = f"a.item_id = o.item_id AND a.attribute_id = {arguments.place(wanted.attribute_id)}::int"
        value = f"(SELECT a.value FROM dynamic_item_attributes a WHERE {attribute})"  # noqa: S608 - placeholders
        least, most = (
            float(f"{sign}inf") if end is None else end for sign, end in (("-", wanted.least), ("", wanted.most))
        )
        yield f"{value} BETWEEN {arguments.place(least)}::float8 AND {arguments.place(most)}::float8"
