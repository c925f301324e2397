"""Answers that are JSON already."""

from starlette.exceptions import HTTPException
from starlette.responses import Response


class JsonAnswer(Response):
    """JSON text that needs no more work."""

    media_type = "application/json"


def found(text: str | None, otherwise: str) -> JsonAnswer:
    """The JSON text, or 404 that says `otherwise`."""
    if text is None:
        raise HTTPException(404, otherwise)
    return JsonAnswer(text)


def joined(**members: str) -> JsonAnswer:
    """One object of members that are JSON texts."""
    return JsonAnswer("{" + ",".join(f'"{name}":{text}' for name, text in members.items()) + "}")
