"""What an error that nobody caught means for whoever asked."""

import asyncpg
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from common.database import is_transient

_NOT_PREPARED = (
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,  # a role that was not given its rights, as after a restore
)
REFUSED = asyncpg.InvalidAuthorizationSpecificationError
"""The server does not know the role, or its password is another one."""


def database_fault(error: Exception) -> str | None:
    """Why the database could not be asked, so that the answer is 503; None when the fault is ours."""
    if _is(error, _NOT_PREPARED):
        return "The database has not been prepared yet"
    if _is(error, (REFUSED,)):
        return "The database does not let this service in"
    if isinstance(error, PoolTimeoutError):
        return "Too many requests wait for the database"
    if isinstance(error, TimeoutError):
        return "The database did not answer in time"
    return "The database cannot be reached" if is_transient(error) else None


def _is(error: Exception, kinds: tuple[type[Exception], ...]) -> bool:
    """Whether the server said so, to asyncpg or through SQLAlchemy."""
    original = getattr(error, "orig", None)
    return any(isinstance(each, kinds) for each in (error, original, getattr(original, "__cause__", None)))
