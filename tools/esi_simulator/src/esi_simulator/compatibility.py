"""The compatibility date that a client sends: which behaviour it wants."""

import re
from functools import lru_cache
from time import gmtime, strftime
from typing import Final

from esi_simulator.errors import EsiError
from esi_simulator.exchange import Request

FIRST: Final = "2020-01-01"
"""The oldest date; who sends none gets its behaviour."""
_ROLLS_AT: Final = 11 * 3600


def check(request: Request, now: float) -> None:
    """400 for a date that is none, is before the first, or is still to come; the date rolls at 11:00 UTC."""
    sent = request.headers.get(b"x-compatibility-date")
    text = sent.decode("latin-1") if sent is not None else request.parameter("compatibility_date")
    if text is not None and not (_is_date(text) and FIRST <= text <= _today(int(now))):
        raise EsiError(400, f"X-Compatibility-Date must be a date from {FIRST} to {_today(int(now))}")


@lru_cache(maxsize=64)
def _is_date(text: str) -> bool:
    return re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) is not None


@lru_cache(maxsize=64)
def _today(now: int) -> str:
    return strftime("%Y-%m-%d", gmtime(now - _ROLLS_AT))
