"""A PostgreSQL role for each service, with the rights that `common.rights` declares and no others."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Collection, Mapping
from itertools import groupby
from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection

from common.database import asyncpg_connection
from common.logs import get_logger
from common.rights import MIGRATED_TO, SERVICES, WRITERS, rights, role

log = get_logger(__name__)

ROLES = "SELECT rolname FROM pg_roles WHERE rolname = ANY($1::text[])"
MAY_CREATE = "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user"
# A database's owner lets everybody do this unless told otherwise; where he was told, it is granted here.
PASSABLE = """
SELECT format('GRANT %s ON DATABASE %I TO %I', privilege, current_database(), r)
  FROM unnest($1::text[]) r CROSS JOIN unnest(ARRAY['CONNECT', 'TEMPORARY']) privilege
 WHERE NOT has_database_privilege(r, current_database(), privilege)
UNION ALL
SELECT format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), r)
  FROM unnest($1::text[]) r WHERE NOT has_schema_privilege(r, current_schema(), 'USAGE')
"""
GIVEN = """
SELECT grantee.rolname, c.relname, given.privilege_type
  FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) given JOIN pg_roles grantee ON grantee.oid = given.grantee
 WHERE c.relnamespace = current_schema()::regnamespace AND c.relname = ANY($1::text[])
   AND grantee.rolname = ANY($2::text[])
"""
_ITERATIONS = 4096  # PostgreSQL's own default

Right = tuple[str, str, str]
"""A role, a table and a privilege."""


async def establish(connection: AsyncConnection, passwords: Mapping[str, str]) -> None:
    """Make the roles that are missing, and give all of them exactly their rights, in the connection's transaction.

    `passwords` maps services to what they log in with. Whoever may not make roles is not failed: those that somebody
    else made get their rights, and a service whose role does not exist has to connect as the tables' owner. Nothing is
    written to the catalogue where nothing is to be changed.
    """
    raw = await asyncpg_connection(connection)
    present = await _make(raw)
    for service, password in passwords.items():
        if role(service) in present:
            await _set_password(raw, role(service), password)
    for statement in await raw.fetch(PASSABLE, sorted(present)):
        await raw.execute(statement[0])
    await _give(raw, present)


async def _make(raw: Any) -> set[str]:
    """Make what roles are missing, if that is allowed; returns those that there are."""
    wanted = {role(service) for service in SERVICES}
    present = {row["rolname"] for row in await raw.fetch(ROLES, sorted(wanted))}
    missing = sorted(wanted - present)
    if missing and not await raw.fetchval(MAY_CREATE):
        log.warning("roles are missing and may not be made; their services have to connect as the owner", roles=missing)
        return present
    for name in missing:
        try:
            async with raw.transaction():
                await raw.execute(f"CREATE ROLE {name} LOGIN")
        except (asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
            log.info("role was made by somebody else just now", role=name)
    return wanted


async def _set_password(raw: Any, name: str, password: str) -> None:
    try:
        async with raw.transaction():
            await raw.execute(f"ALTER ROLE {name} PASSWORD '{scram_verifier(password)}'")
    except asyncpg.InsufficientPrivilegeError:
        log.warning("the password may not be set; it stays as it is", role=name)


async def _give(raw: Any, present: Collection[str]) -> None:
    """Bring what the roles may do with our tables to what is declared; other tables are not looked at."""
    wanted = {(role(service), *right) for service in SERVICES if role(service) in present for right in rights(service)}
    given = {tuple(row) for row in await raw.fetch(GIVEN, [*WRITERS, MIGRATED_TO], sorted(present))}
    for name, table, privileges in _together(given - wanted):
        await raw.execute(f"REVOKE {privileges} ON {table} FROM {name}")
    for name, table, privileges in _together(wanted - given):
        await raw.execute(f"GRANT {privileges} ON {table} TO {name}")


def _together(changes: set[Right]) -> list[Right]:
    """One statement for each role and table."""
    grouped = groupby(sorted(changes), key=lambda right: right[:2])
    return [(name, table, ", ".join(privilege for *_, privilege in each)) for (name, table), each in grouped]


def scram_verifier(password: str) -> str:
    """What PostgreSQL stores of a password of printable ASCII, so that no statement and no server log has it.

    Source: RFC 5803, RFC 7677; PostgreSQL's src/common/scram-common.c.
    """
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, _ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    salt_text, stored_text, server_text = (base64.b64encode(each).decode() for each in (salt, stored, server))
    return f"SCRAM-SHA-256${_ITERATIONS}:{salt_text}${stored_text}:{server_text}"
