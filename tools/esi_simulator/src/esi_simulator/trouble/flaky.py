"""Addresses that fail at first: a contract that not every server knows yet, a roll that is lost now and then."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from esi_simulator.errors import MESSAGES
from esi_simulator.exchange import NOTHING, Reply, Request, error_reply
from esi_simulator.market.chance import dice

_MESSAGES = {
    ("items", 404): "Contract not found",
    ("bids", 404): "Contract not found",
    ("dynamic", 520): "ItemNotFound",
}
_TTL = 3600


@dataclass(frozen=True, slots=True)
class Flake:
    """The first `reads` requests for each address of a kind fail; so does only a `share` of the addresses, by seed."""

    route: str
    reads: int
    status: int
    share: float
    seed: int


class Flaky:
    """All that were ordered, and how often each address was read since."""

    def __init__(self) -> None:
        self._flakes: list[Flake] = []
        self._reads: Counter[tuple[int, tuple[str, ...]]] = Counter()

    def add(self, wish: dict[str, Any]) -> None:
        """Take one as a test writes it: route, reads, status, share, seed; route is needed."""
        self._flakes.append(
            Flake(
                route=str(wish["route"]),
                reads=int(wish.get("reads", 1)),
                status=int(wish.get("status", 404)),
                share=float(wish.get("share", 1)),
                seed=int(wish.get("seed", 1)),
            )
        )

    def clear(self) -> None:
        """No address fails any more; what was read is forgotten."""
        self._flakes.clear()
        self._reads.clear()

    def orders(self) -> int:
        return len(self._flakes)

    def meet(self, kind: str, request: Request, now: float) -> Reply | None:
        """The failure that this request meets, if any."""
        for number, flake in enumerate(self._flakes):
            if flake.route != kind or not _is_hit(flake, request):
                continue
            key = (number, request.parts)
            self._reads[key] += 1
            if self._reads[key] <= flake.reads:
                return _failure(kind, flake.status, now)
        return None


def _is_hit(flake: Flake, request: Request) -> bool:
    if flake.share >= 1:
        return True
    key = [int(part) for part in request.parts if part.isdecimal()]
    return dice(flake.seed, *key).random() < flake.share


def _failure(kind: str, status: int, now: float) -> Reply:
    if status == 204:  # noqa: PLR2004 - comes with validators, although there is nothing (esi-issues #1237)
        return replace(Reply(status, NOTHING), modified=now, expires=now + _TTL)
    return error_reply(status, _MESSAGES.get((kind, status), MESSAGES.get(status, "Something went wrong")))
