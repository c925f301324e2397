from uuid import NAMESPACE_URL, UUID

from uuid_utils.compat import uuid5, uuid7

_NAMESPACE = uuid5(NAMESPACE_URL, "freeport")


def new_id() -> UUID:
    """A fresh UUIDv7: unique, and ordered by the moment it was made."""
    return uuid7()


def derived_id(*parts: object) -> UUID:
    """The same UUID for the same parts, always: what makes a repeat recognisable."""
    return uuid5(_NAMESPACE, "/".join(str(part) for part in parts))
