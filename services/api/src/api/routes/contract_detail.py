from fastapi import APIRouter, Response

from api.answers import found
from api.dependencies import ContractId, ReadConnection
from api.problems import problems
from api.queries import contract_detail as queries
from api.schemas.contract_detail import ContractDetail

router = APIRouter()


@router.get("/{contract_id}", response_model=ContractDetail, responses=problems(404, 503))
async def read_contract(contract_id: ContractId, connection: ReadConnection) -> Response:
    """Answer with the contract, live or gone, and everything it holds."""
    return found(await queries.contract(connection, contract_id), f"No contract {contract_id} was ever seen")
