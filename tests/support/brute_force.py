"""The rules of a list of contracts once more, in plain Python over rows in memory; nothing is shared with the api."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Row = Mapping[str, Any]
Asked = Mapping[str, Any]

DESCENDING = {"issued", "reward", "reward_per_m3", "runs"}
COLUMN_OF = {"issued": "date_issued", "expires": "date_expired"}


@dataclass(frozen=True)
class Kind:
    """What a type is."""

    group_id: int | None
    category_id: int | None


@dataclass
class Memory:
    """Everything that is stored, and what time it is."""

    now: datetime
    kinds: Mapping[int, Kind]
    contracts: list[Row] = field(default_factory=list)
    items: dict[int, list[Row]] = field(default_factory=dict)
    rolls: dict[int, Mapping[int, float]] = field(default_factory=dict)
    """Attributes of abyssal items; empty where they were not read yet."""

    def answer(self, asked: Asked) -> list[int]:
        """The ids of the whole list, in its order."""
        found = [row for row in self.contracts if self._holds(row, asked)]
        sort: str = asked.get("sort", "issued")
        order = asked.get("order", "desc" if sort in DESCENDING else "asc")
        column = COLUMN_OF.get(sort, sort)
        known = [row for row in found if row[column] is not None]
        unknown = [row for row in found if row[column] is None]
        known.sort(key=lambda row: (row[column], row["contract_id"]), reverse=order == "desc")
        unknown.sort(key=lambda row: row["contract_id"], reverse=order == "desc")
        return [row["contract_id"] for row in known + unknown]

    def by_type(self, asked: Asked) -> dict[str, int]:
        """How many there are of each type, whatever type is asked for."""
        lifted = {name: value for name, value in asked.items() if name != "contract_type"}
        return dict(Counter(row["type"] for row in self.contracts if self._holds(row, lifted)))

    def excluded(self, asked: Asked) -> dict[str, int]:
        """How many are missing because something of them is unknown, by what that is."""
        counted = {}
        for reason in ("system", "items", "rolls", "value"):
            if self._asks(reason, asked):
                counted[reason] = sum(self._is_missing(row, asked, reason) for row in self.contracts)
        return counted

    def _holds(self, row: Row, asked: Asked, *, but: Iterable[str] = ()) -> bool:
        judged = {"system": self._in_place, "items": self._has_items, "rolls": self._has_rolls, "value": self._is_worth}
        return self._is_certain(row, asked) and all(
            holds(row, asked) for reason, holds in judged.items() if reason not in but
        )

    def _asks(self, reason: str, asked: Asked) -> bool:
        value = {"value_ratio_min", "value_ratio_max"} & asked.keys()
        rolls = "attribute" in asked
        if reason == "system":
            return bool({"system_id", "security"} & asked.keys())
        if reason == "rolls":
            return rolls
        if reason == "value":
            return bool(value)
        families = {"type_id", "group_id", "category_id", "runs_min", "runs_max", "me_min", "me_max"}
        families |= {"te_min", "te_max"}
        flags = ("ships_only", "single_item", "want_to_buy", "is_bpc")
        return bool(value or rolls or families & asked.keys() or any(asked.get(flag) == "true" for flag in flags))

    def _is_missing(self, row: Row, asked: Asked, reason: str) -> bool:
        unread = row["composition"] is None and row["items_state"] in {"wanted", "failed"}
        if reason == "system":
            return row["system_id"] is None and self._holds(row, asked, but=["system"])
        if reason == "items":
            return unread and self._holds(row, asked, but=["items", "rolls", "value"])
        if reason == "value":
            unvalued = row["value_ratio"] is None and row["composition"] is not None and row["items_state"] != "none"
            return unvalued and self._holds(row, asked, but=["value"])
        may_have = any(
            item["item_id"] in self.rolls and not self.rolls[item["item_id"]] for item in self._fitting(row, asked)
        )
        return may_have and not self._has_rolls(row, asked) and self._holds(row, asked, but=["rolls"])

    def _is_certain(self, row: Row, asked: Asked) -> bool:
        live = row["delisted_at"] is None and row["date_expired"] > self.now
        state = asked.get("state", "gone" if "outcome" in asked else "live")
        if state != "all" and live != (state == "live"):
            return False
        columns = {
            "region_id": "region_id",
            "station_id": "start_location_id",
            "contract_type": "type",
            "outcome": "outcome",
            "issuer_id": "issuer_id",
            "issuer_corporation_id": "issuer_corporation_id",
        }
        if any(name in asked and row[column] not in asked[name] for name, column in columns.items()):
            return False
        ranges = ("price", "buyout", "collateral", "reward", "volume", "reward_per_m3", "days_to_complete")
        if not all(within(row[name], asked, name) for name in ranges):
            return False
        if "issued_after" in asked and not row["date_issued"] > asked["issued_after"]:
            return False
        if "expires_before" in asked and not row["date_expired"] < asked["expires_before"]:
            return False
        return self._is_not_what_is_false(row, asked)

    def _is_not_what_is_false(self, row: Row, asked: Asked) -> bool:
        false: dict[str, Callable[[], bool]] = {
            "ships_only": lambda: row["contains_ship"] is True,
            "single_item": lambda: row["composition"] == "single",
            "want_to_buy": lambda: row["composition"] == "want_to_buy",
            "is_bpc": lambda: any(is_copy(item) and self._rolled(item, asked) for item in self._fitting(row, asked)),
        }
        return not any(asked.get(name) == "false" and holds() for name, holds in false.items())

    def _in_place(self, row: Row, asked: Asked) -> bool:
        return ("system_id" not in asked or row["system_id"] in asked["system_id"]) and (
            "security" not in asked or row["security"] in asked["security"]
        )

    def _has_items(self, row: Row, asked: Asked) -> bool:
        if asked.get("ships_only") == "true" and row["contains_ship"] is not True:
            return False
        if asked.get("single_item") == "true" and row["composition"] != "single":
            return False
        if asked.get("want_to_buy") == "true" and row["composition"] != "want_to_buy":
            return False
        asks = {"type_id", "group_id", "category_id", "runs_min", "runs_max", "me_min", "me_max", "te_min", "te_max"}
        return not (asks & asked.keys() or asked.get("is_bpc") == "true") or bool(self._fitting(row, asked))

    def _has_rolls(self, row: Row, asked: Asked) -> bool:
        return "attribute" not in asked or any(self._rolled(item, asked) for item in self._fitting(row, asked))

    def _is_worth(self, row: Row, asked: Asked) -> bool:
        return within(row["value_ratio"], asked, "value_ratio")

    def _fitting(self, row: Row, asked: Asked) -> list[Row]:
        """The offered items that are within every bound at once, but for abyssal attributes."""
        return [
            item for item in self.items.get(row["contract_id"], []) if item["is_included"] and self._fits(item, asked)
        ]

    def _fits(self, item: Row, asked: Asked) -> bool:
        kind = self.kinds.get(item["type_id"], Kind(None, None))
        if "type_id" in asked and item["type_id"] not in asked["type_id"]:
            return False
        if "group_id" in asked and kind.group_id not in asked["group_id"]:
            return False
        if "category_id" in asked and kind.category_id not in asked["category_id"]:
            return False
        if asked.get("is_bpc") == "true" and not is_copy(item):
            return False
        asks_runs = {"runs_min", "runs_max"} & asked.keys()
        if asks_runs and (item["runs"] is None or item["runs"] < 0):
            return False
        research = {"runs": "runs", "me": "material_efficiency", "te": "time_efficiency"}
        return all(within(item[column], asked, name) for name, column in research.items())

    def _rolled(self, item: Row, asked: Asked) -> bool:
        rolled = self.rolls.get(item["item_id"], {}) if item["item_id"] is not None else {}
        return all(is_rolled(rolled, wanted) for wanted in asked.get("attribute", ()))


def within(value: Any, asked: Asked, name: str) -> bool:
    """Whether it is in the range that is asked for; what has no value is in none."""
    least, most = asked.get(f"{name}_min"), asked.get(f"{name}_max")
    if least is None and most is None:
        return True
    return value is not None and (least is None or value >= least) and (most is None or value <= most)


def is_copy(item: Row) -> bool:
    return item["is_blueprint_copy"] is True or (item["runs"] is not None and item["runs"] >= 0)


def is_rolled(rolled: Mapping[int, float], wanted: str) -> bool:
    attribute_id, least, most = wanted.split(":")
    value = rolled.get(int(attribute_id))
    return value is not None and (not least or value >= float(least)) and (not most or value <= float(most))


def pages(ids: Sequence[int], size: int) -> list[list[int]]:
    """The list cut up; an empty one is one empty page."""
    return [list(ids[start : start + size]) for start in range(0, max(len(ids), 1), size)]
