"""What parameters mean does not depend on who reads them: FastAPI, or a route that is quicker."""

from random import Random
from typing import Annotated, Any
from urllib.parse import urlencode

import pytest
from fastapi import Query
from fastapi.dependencies.utils import get_dependant, request_params_to_args
from pydantic import BaseModel
from starlette.datastructures import QueryParams

from api.query_route import reading_of
from api.schemas.contracts import ContractQuery
from api.schemas.couriers import CourierQuery
from api.schemas.deals import DealQuery
from support.random_market import question

WRONG = (
    "region_id=",
    "region_id=x",
    "region_id=1&region_id=0",
    "price_min=nan",
    "price_min=2&price_max=1",
    "limit=0",
    "page=2&cursor=x",
    "size=2&limit=2",
    "sort=",
    "sort=relevance",
    "fields=nothing",
    "state=Live",
    "is_bpc=perhaps",
    "attribute=20::",
    "q=%00",
    "issued_after=2024-01-01",
    "price_mim=3",
    "sort=price&colour=red",
)
RIGHT = (
    "",
    "limit=1&limit=2",
    "region_id=2&region_id=1&region_id=2",
    "fields=price,label&fields=title",
    "q=%20drake%20",
    "price_min=1.50&price_max=2",
    "is_bpc=1&ships_only=off",
    "issued_after=2024-01-01T00:00:00%2B02:00",
    "attribute=20:1:&attribute=54::3",
    "contract_type=barter",
)


def by_fastapi(model: type[BaseModel], params: QueryParams) -> Any:
    """The model as FastAPI makes it, None if it finds fault."""

    def endpoint(query: Annotated[model, Query()]) -> None:  # type: ignore[valid-type]  # a model of the test
        del query

    values, errors = request_params_to_args(get_dependant(path="/", call=endpoint).query_params, params)
    return None if errors else values["query"]


@pytest.mark.parametrize("query", RIGHT)
def test_what_is_right_means_the_same(query: str) -> None:
    params = QueryParams(query)

    read = reading_of(ContractQuery)(params)

    assert read is not None
    assert read == by_fastapi(ContractQuery, params)


@pytest.mark.parametrize("query", WRONG)
def test_what_is_wrong_is_left_to_fastapi(query: str) -> None:
    assert reading_of(ContractQuery)(QueryParams(query)) is None


@pytest.mark.parametrize("model", [ContractQuery, CourierQuery, DealQuery])
def test_whatever_is_asked_means_the_same(model: type[BaseModel]) -> None:
    read = reading_of(model)

    for seed in range(100):
        asked = {name: value for name, value in question(Random(seed)).items() if name in model.model_fields}  # noqa: S311
        params = QueryParams(urlencode(asked, doseq=True))
        assert read(params) == by_fastapi(model, params)
