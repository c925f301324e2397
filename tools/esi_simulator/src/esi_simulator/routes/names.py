from collections.abc import Callable, Collection
from typing import Any, Final

import orjson

from esi_simulator.atlas import Atlas
from esi_simulator.errors import EsiError
from esi_simulator.exchange import Document, Reply, Request, to_json
from esi_simulator.market.contracts import Row
from esi_simulator.market.people import alliance_name, character_name, corporation_name

MOST: Final = 1000

_RANGES: Final[tuple[tuple[range, str, Callable[[int], str]], ...]] = (
    (range(1_000_000, 2_000_000), "corporation", corporation_name),
    (range(90_000_000, 98_000_000), "character", character_name),
    (range(98_000_000, 99_000_000), "corporation", corporation_name),
    (range(99_000_000, 100_000_000), "alliance", alliance_name),
    (range(2_112_000_000, 2_124_000_000), "character", character_name),
)
"""Where the game numbers whom. Ids between are older than the ranges; of those only the recorded ones are known."""


class NameRoutes:
    """POST /universe/names: all ids or none."""

    def __init__(self, atlas: Atlas, recorded: Collection[Row]) -> None:
        self._atlas = atlas
        self._characters = {row["issuer_id"] for row in recorded}
        self._corporations = {row["issuer_corporation_id"] for row in recorded}

    def names(self, request: Request) -> Reply:
        """Names of 1 to 1,000 different ids; one unknown id fails the whole batch with 404."""
        found = [self._named(wanted) for wanted in _ids(request.body)]
        if None in found:
            raise EsiError(404, "Ensure all IDs are valid before resolving.")
        return Reply(200, Document(to_json(found)))

    def _named(self, wanted: int) -> dict[str, Any] | None:
        category, name = self._placed(wanted) or self._person(wanted) or (None, None)
        return {"category": category, "id": wanted, "name": name} if category else None

    def _placed(self, wanted: int) -> tuple[str, str] | None:
        atlas = self._atlas
        tables: tuple[tuple[str, dict[int, Any]], ...] = (
            ("inventory_type", atlas.types),
            ("station", atlas.stations),
            ("solar_system", atlas.systems),
            ("constellation", atlas.constellations),
            ("region", atlas.regions),
        )
        return next(((category, table[wanted].name) for category, table in tables if wanted in table), None)

    def _person(self, wanted: int) -> tuple[str, str] | None:
        if wanted in self._characters:
            return "character", character_name(wanted)
        if wanted in self._corporations:
            return "corporation", corporation_name(wanted)
        return next(((category, name(wanted)) for ids, category, name in _RANGES if wanted in ids), None)


def _ids(body: bytes) -> list[int]:
    try:
        ids = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise EsiError(400, "Request body is not valid JSON") from None
    if not isinstance(ids, list) or not all(type(one) is int for one in ids):
        raise EsiError(400, "Request body must be an array of integers")
    if not 1 <= len(ids) <= MOST:
        raise EsiError(400, f"Request body must have 1 to {MOST} items")
    if len(set(ids)) != len(ids):
        raise EsiError(400, "Request body must have unique items")
    return ids
