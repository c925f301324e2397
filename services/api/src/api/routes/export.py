from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.dependencies import AppParts
from api.exports import MEDIA_TYPES
from api.problems import problems
from api.schemas.export import ExportQuery

router = APIRouter()

CONTENT = {media_type.partition(";")[0]: {"schema": {"type": "string"}} for media_type in MEDIA_TYPES.values()}


@router.get(
    "", response_class=Response, responses={200: {"description": "A file", "content": CONTENT}, **problems(503)}
)
async def export_contracts(query: Annotated[ExportQuery, Query()], parts: AppParts) -> Response:
    """Download all contracts that the filters ask for, however many: as of one moment, in no order.

    The first columns are those of `contracts.csv` in EVE Ref's snapshots, ours follow. Instants are UTC, amounts ISK.
    An export that breaks off ends without the end of its transfer, so a download that ended well is whole.
    """
    return parts.exports.of(query)
