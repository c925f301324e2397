from fastapi import APIRouter, Response

from api.answers import found
from api.dependencies import ContractId, ReadConnection
from api.problems import problems
from api.queries import contract_detail, contract_history
from api.schemas.contract_detail import ContractBids, ContractDetail, ContractHistory

router = APIRouter()


@router.get("/{contract_id}", response_model=ContractDetail, responses=problems(404, 503))
async def read_contract(contract_id: ContractId, connection: ReadConnection) -> Response:
    """Answer with the contract, live or gone, and everything it holds, each line with what it is worth."""
    return found(await contract_detail.contract(connection, contract_id), _never_seen(contract_id))


@router.get("/{contract_id}/history", response_model=ContractHistory, responses=problems(404, 503))
async def read_contract_history(contract_id: ContractId, connection: ReadConnection) -> Response:
    """Tell what happened to the contract, the oldest first: from the first sighting to what became of it."""
    return found(await contract_history.history(connection, contract_id), _never_seen(contract_id))


@router.get("/{contract_id}/bids", response_model=ContractBids, responses=problems(404, 503))
async def read_contract_bids(contract_id: ContractId, connection: ReadConnection) -> Response:
    """List the bids on the contract, the highest first. They are read while it is live; who bids is not public."""
    return found(await contract_history.bids(connection, contract_id), _never_seen(contract_id))


def _never_seen(contract_id: int) -> str:
    return f"No contract {contract_id} was ever seen"
