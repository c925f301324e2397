"""What a contract is, in the words of a list: derived once, from its items."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from ingestor.esi.models import PublicItem

VERSION = 3
"""Of these rules. A contract summarised under an older one may be read again."""

SHIP, BLUEPRINT = 6, 9
"""Categories of the Static Data Export. A ship's blueprint is of the second, and so are formulas of reactions."""
ABYSSAL, MUTAPLASMIDS = 15, 1964
"""The meta group of what a mutaplasmid makes, and the group of mutaplasmids, which are of it too but alike."""

MOST_UNITS = 2**63 - 1
"""Can be stored."""

VOLUME_DECIMALS = 6
"""Nothing is smaller than 0.0002 m³; what stands behind is noise of the sum."""

Composition = Literal["single", "bundle", "exchange", "want_to_buy"]


@dataclass(frozen=True, slots=True)
class TypeFacts:
    """What has to be known of an item type. Volumes in m³."""

    name: str
    category_id: int
    group_id: int = 0
    meta_group_id: int | None = None
    volume: float | None = None
    packaged_volume: float | None = None

    @property
    def is_dynamic(self) -> bool:
        """Whether each piece of it has attributes of its own. Source: autonomouslogic/eve-ref issue 1086."""
        return self.meta_group_id == ABYSSAL and self.group_id != MUTAPLASMIDS and self.category_id != BLUEPRINT


@dataclass(frozen=True, slots=True)
class Blueprint:
    """A blueprint's research, as far as it is public. Efficiencies in percent; runs are left only on copies."""

    is_copy: bool
    material_efficiency: int | None
    time_efficiency: int | None
    runs: int | None


@dataclass(frozen=True, slots=True)
class Summary:
    """What a list shows of a contract. `blueprint` is set when all it offers are equal blueprints.

    `packaged_volume`: m³ of what it offers as if all of it were packaged; None where that is not known of every item.
    `units`: how many pieces of one article it offers, if that and nothing else is exchanged; 0 if it offers several
    articles of a type, or stacks of nothing; None of all else, and if that cannot be told so.
    """

    label: str
    composition: Composition
    contains_ship: bool
    items_offered: int
    items_requested: int
    blueprint: Blueprint | None
    packaged_volume: float | None
    offers_copy: bool
    most: "Most"
    units: int | None


class Most(NamedTuple):
    """The most of any item on offer, each by itself; None if no item has such."""

    runs: int | None
    material_efficiency: int | None
    time_efficiency: int | None


NOTHING: Final = Most(None, None, None)


def names_of(type_ids: Sequence[int], facts: Mapping[int, TypeFacts]) -> tuple[str, ...]:
    """Of types that one contract holds, each once; the most telling first."""
    return tuple(facts[type_id].name for type_id in dict.fromkeys([_foremost(type_ids, facts), *type_ids]))


def summarise(items: Sequence[PublicItem], facts: Mapping[int, TypeFacts]) -> Summary:
    """The summary of a contract that holds `items`, at least one; `facts` knows all their types."""
    offered = [item for item in items if item.is_included]
    requested = [item for item in items if not item.is_included]
    blueprints = [item for item in offered if _tells_of_research(item)]
    composition = _composition(offered, requested)
    return Summary(
        label=_label(offered or requested, facts, wanted=not offered),
        composition=composition,
        contains_ship=any(_is_ship(item.type_id, facts) for item in offered),
        items_offered=len(offered),
        items_requested=len(requested),
        blueprint=_blueprint(offered, facts),
        packaged_volume=_packaged_volume(offered, facts),
        offers_copy=any(is_copy(item) for item in blueprints),
        most=_most(blueprints),
        units=_units(offered) if composition == "single" else None,
    )


def is_copy(item: PublicItem) -> bool:
    """Whether it is a blueprint's copy: says so, or has runs.

    An original has no flag on the public route, or it is false; and no runs, or -1. Source: CCP's OpenAPI and samples.
    """
    return item.is_blueprint_copy is True or (item.runs is not None and item.runs >= 0)


def _composition(offered: Sequence[PublicItem], requested: Sequence[PublicItem]) -> Composition:
    if not offered:
        return "want_to_buy"
    if requested:
        return "exchange"
    return "single" if len({item.type_id for item in offered}) == 1 else "bundle"


def _label(items: Sequence[PublicItem], facts: Mapping[int, TypeFacts], *, wanted: bool) -> str:
    """The most telling type, a ship if there is one, how many of it, and how many types more."""
    first = _foremost([item.type_id for item in items], facts)
    quantity = sum(item.quantity for item in items if item.type_id == first)
    others = len({item.type_id for item in items}) - 1
    count = f"{quantity:,} \N{MULTIPLICATION SIGN} " if quantity != 1 else ""
    more = "" if not others else f" and {others} more type{'s' if others > 1 else ''}"
    return f"{'Wanted: ' if wanted else ''}{count}{facts[first].name}{more}"


def _foremost(type_ids: Sequence[int], facts: Mapping[int, TypeFacts]) -> int:
    """The most telling type: a ship if there is one."""
    return next((type_id for type_id in type_ids if _is_ship(type_id, facts)), type_ids[0])


def _is_ship(type_id: int, facts: Mapping[int, TypeFacts]) -> bool:
    return facts[type_id].category_id == SHIP


def _blueprint(offered: Sequence[PublicItem], facts: Mapping[int, TypeFacts]) -> Blueprint | None:
    """The one blueprint that is offered, once or in several equal pieces."""
    if not offered or not all(is_copy(item) or facts[item.type_id].category_id == BLUEPRINT for item in offered):
        return None
    kinds = {(item.type_id, *_research(item)) for item in offered}
    return Blueprint(*_research(offered[0])) if len(kinds) == 1 else None


def _research(item: PublicItem) -> tuple[bool, int | None, int | None, int | None]:
    copy = is_copy(item)
    runs = item.runs if copy and item.runs is not None and item.runs >= 0 else None
    return copy, item.material_efficiency, item.time_efficiency, runs


def _units(offered: Sequence[PublicItem]) -> int | None:
    """Of items of one type. An article is what `domain/statistics.py` says."""
    first = offered[0]
    copy = is_copy(first)
    for item in offered:
        if item.quantity <= 0 or is_copy(item) != copy or (copy and _differ(item, first)):
            return 0
    if copy and first.runs is not None and first.runs < 0:
        return None  # of which a summary does not tell
    units = sum(item.quantity for item in offered)
    return units if units <= MOST_UNITS else None


def _differ(one: PublicItem, other: PublicItem) -> bool:
    return (one.material_efficiency, one.time_efficiency, one.runs) != (
        other.material_efficiency,
        other.time_efficiency,
        other.runs,
    )


def _most(blueprints: Sequence[PublicItem]) -> Most:
    if not blueprints:
        return NOTHING
    return Most(
        max((item.runs for item in blueprints if item.runs is not None), default=None),
        max((item.material_efficiency for item in blueprints if item.material_efficiency is not None), default=None),
        max((item.time_efficiency for item in blueprints if item.time_efficiency is not None), default=None),
    )


def _tells_of_research(item: PublicItem) -> bool:
    """Nearly all items do not, and a market holds many."""
    return (
        item.runs is not None
        or item.material_efficiency is not None
        or item.time_efficiency is not None
        or item.is_blueprint_copy is True
    )


def _packaged_volume(offered: Sequence[PublicItem], facts: Mapping[int, TypeFacts]) -> float | None:
    """Rather None than wrong. A type that has no packaged volume of its own is as large as it is."""
    total = 0.0
    for item in offered:
        known = facts[item.type_id]
        each = known.volume if known.packaged_volume is None else known.packaged_volume
        if each is None or item.quantity <= 0:
            return None
        total += item.quantity * each
    return round(total, VOLUME_DECIMALS) if offered else None
