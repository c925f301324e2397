"""What an error that nobody caught means for whoever asked."""

import asyncpg
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from common.database import is_transient

_NOT_MIGRATED = (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.InvalidCatalogNameError)


def database_fault(error: Exception) -> str | None:
    """Why the database could not be asked, so that the answer is 503; None when the fault is ours."""
    if isinstance(error, _NOT_MIGRATED) or isinstance(getattr(error, "orig", None), _NOT_MIGRATED):
        return "The database has not been prepared yet"
    if isinstance(error, PoolTimeoutError):
        return "Too many requests wait for the database"
    if isinstance(error, TimeoutError):
        return "The database did not answer in time"
    return "The database cannot be reached" if is_transient(error) else None
