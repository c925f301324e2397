import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

BIGINT = 2**63 - 1
"""PostgreSQL's largest bigint, which is what ids are kept in."""


_NUMBER = re.compile(r"\s*[-+]?[\d.]+\s*", re.ASCII)


def as_written(value: object) -> object:
    """Refuse a number where an instant or a day is wanted: pydantic would take it for seconds since 1970."""
    if isinstance(value, int | float) or (isinstance(value, str) and _NUMBER.fullmatch(value)):
        raise ValueError("is a number and no date as RFC 3339 writes it")
    return value


class Shown(BaseModel):
    """Something clients see. Every field is always there; null says that it is not known or does not apply."""

    model_config = ConfigDict(frozen=True)


Id = Annotated[int, Field(ge=1, le=BIGINT)]
Isk = Annotated[Decimal, WithJsonSchema({"type": "number"}), Field(description="ISK, to the cent")]
CubicMetres = Annotated[float, Field(description="m³")]
Instant = Annotated[datetime, Field(description="RFC 3339, UTC")]
