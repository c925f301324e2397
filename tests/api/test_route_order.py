"""What has a name of its own under /contracts is not taken for a contract's id."""

import pytest

from support.served_api import ServedApi


@pytest.mark.parametrize("name", ["taxonomy", "deals", "couriers"])
async def test_a_name_under_contracts_is_no_contract(api: ServedApi, name: str) -> None:
    named, trailing = await api.get(f"/api/v1/contracts/{name}"), await api.get(f"/api/v1/contracts/{name}x")

    assert named.status == 200
    assert "contract_id" not in named.content
    assert (trailing.status, trailing.wrong_fields) == (422, ["contract_id"])
