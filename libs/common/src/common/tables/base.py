from datetime import datetime
from typing import Any

from sqlalchemy import Column, DateTime, MetaData, Numeric
from sqlalchemy.sql.expression import FunctionElement, func

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Isk = Numeric(20, 2)
"""An amount in ISK, to the cent."""


def instant(name: str, *, nullable: bool = False, default_now: bool = False) -> Column[datetime]:
    """A moment in UTC; `default_now` takes it from the database's clock."""
    default: FunctionElement[Any] | None = func.clock_timestamp() if default_now else None
    return Column(name, DateTime(timezone=True), nullable=nullable, server_default=default)
