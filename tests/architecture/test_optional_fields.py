"""What upstream may leave out a column may lack, and what a column may lack an answer may: one null breaks no page."""

from typing import get_args

import msgspec
import pytest
from pydantic import BaseModel
from sqlalchemy import Table

from api.schemas.contract_base import ContractBase
from api.schemas.contract_detail import Bid, ContractDetail, ContractItem
from api.schemas.contracts import ContractSummary
from api.schemas.couriers import Courier
from api.schemas.deals import Deal
from api.schemas.universe import ItemType as ShownType
from common import tables
from ingestor.esi.models import ItemType, PublicBid, PublicContract, PublicItem

UPSTREAM: list[tuple[type[msgspec.Struct], Table]] = [
    (PublicContract, tables.contracts),
    (PublicItem, tables.contract_items),
    (PublicBid, tables.bids),
    (ItemType, tables.types),
]
SHOWN: list[tuple[type[BaseModel], Table, set[str]]] = [
    (ContractBase, tables.contracts, set()),
    (ContractSummary, tables.contracts, set()),
    # Its two lists of items, which have the names of the columns that count them.
    (ContractDetail, tables.contracts, {"items_offered", "items_requested"}),
    (Courier, tables.contracts, set()),
    # What makes a contract a deal: without any of these it is none.
    (
        Deal,
        tables.contracts,
        {"price", "value_buy", "value_sell", "value_average", "value_lines", "value_lines_priced"},
    ),
    (ContractItem, tables.contract_items, set()),
    (Bid, tables.bids, set()),
    (ShownType, tables.types, set()),
]
"""Each with what the statement behind it sees to, though the column may be null."""


def nullable(table: Table) -> set[str]:
    return {column.name for column in table.columns if column.nullable}


@pytest.mark.parametrize(("row", "table"), UPSTREAM)
def test_what_upstream_may_leave_out_a_column_may_lack(row: type[msgspec.Struct], table: Table) -> None:
    missing = {field.name for field in msgspec.structs.fields(row) if field.default is None}
    stored = {column.name for column in table.columns}

    assert missing & stored <= nullable(table)


@pytest.mark.parametrize(("shown", "table", "seen_to"), SHOWN)
def test_what_a_column_may_lack_an_answer_may_lack(shown: type[BaseModel], table: Table, seen_to: set[str]) -> None:
    promised = {name for name, field in shown.model_fields.items() if type(None) not in get_args(field.annotation)}

    assert promised & nullable(table) == seen_to
