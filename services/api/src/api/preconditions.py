"""If-Match: a change applies to the version that its author has seen, or not at all."""

import re
from typing import Annotated

from fastapi import Header, HTTPException, status

from api.schemas.base import BIGINT

_ETAG = re.compile(r'^"([0-9]{1,18})"$')

IfMatch = Annotated[
    str | None,
    Header(max_length=100, description="The ETag of the version that is meant, or * for whichever there is"),
]


def required(if_match: str | None) -> int | None:
    """The version that is meant, None for any. Raises 428 if the client does not say."""
    if if_match is None:
        raise HTTPException(status.HTTP_428_PRECONDITION_REQUIRED, "If-Match has to say which version this is about")
    return version_of(if_match)


def version_of(if_match: str | None) -> int | None:
    """The version that is meant, None for any. What is no version of ours matches none of them."""
    if if_match is None or if_match.strip() == "*":
        return None
    match = _ETAG.match(if_match.strip())
    return int(match[1]) if match else BIGINT
