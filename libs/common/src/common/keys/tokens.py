"""An API key in its owner's hands: a token `fp_<id>_<secret>`. The id is no secret; it is all that is shown again."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

_FORM = re.compile(r"fp_([0-9a-f]{12})_([0-9a-f]{64})")
FORM = "fp_<id>_<secret>"


class Scope(StrEnum):
    """What a key may do beside reading, which nobody needs a key for."""

    INGEST = "ingest"
    """Have upstream read anew."""
    SCHEDULES = "schedules"
    """Make, change and remove schedules."""
    OPERATE = "operate"
    """See and do what is the operators' own: hooks, dead letters, how the processes are."""


@dataclass(frozen=True, slots=True)
class Token:
    """A key as it is shown; its secret stays out of every repr. 256 bits of luck, so one round of SHA-256 will do."""

    key_id: str
    secret: str = field(repr=False)

    @classmethod
    def new(cls) -> Self:
        return cls(secrets.token_hex(6), secrets.token_hex(32))

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The token that `text` is, None if it cannot be one."""
        match = _FORM.fullmatch(text)
        return cls(match[1], match[2]) if match else None

    def reveal(self) -> str:
        """The text to hand to the key's owner, and to nobody else."""
        return f"fp_{self.key_id}_{self.secret}"

    @property
    def digest(self) -> bytes:
        """What is stored of the secret."""
        return hashlib.sha256(self.secret.encode()).digest()

    def matches(self, digest: bytes) -> bool:
        """Whether the stored `digest` is of this secret; takes as long for a near miss as for a far one."""
        return hmac.compare_digest(self.digest, digest)
