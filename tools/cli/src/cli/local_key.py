"""The API key of the local stack: made at its first start, kept in its directory for its owner's eyes alone."""

import os
from contextlib import suppress
from pathlib import Path

from common.keys.tokens import Token

NAME = "api-key"


def kept_key(home: Path) -> Token | None:
    """The key that is kept there, None if none is."""
    with suppress(FileNotFoundError):
        return Token.parse((home / NAME).read_text(encoding="ascii", errors="replace").strip())
    return None


def keep(home: Path, token: Token) -> None:
    """Write the key whole or not at all, and never where others may read it, not even for a moment."""
    fresh = home / f"{NAME}.new"
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(f"{token.reveal()}\n")
    fresh.replace(home / NAME)
