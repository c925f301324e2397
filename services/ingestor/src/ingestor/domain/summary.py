"""What a contract is, in the words of a list: derived once, from its items."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ingestor.esi.models import PublicItem

VERSION = 1
"""Of these rules. A contract summarised under an older one may be read again."""

SHIP = 6
"""The category of ships; their blueprints are of another. Source: the Static Data Export."""

Composition = Literal["single", "bundle", "exchange", "want_to_buy"]


@dataclass(frozen=True, slots=True)
class TypeFacts:
    """What has to be known of an item type."""

    name: str
    category_id: int


@dataclass(frozen=True, slots=True)
class Blueprint:
    """A blueprint's research. Efficiencies in percent; runs are left only on copies."""

    is_copy: bool
    material_efficiency: int | None
    time_efficiency: int | None
    runs: int | None


@dataclass(frozen=True, slots=True)
class Summary:
    """What a list shows of a contract. `blueprint` is set when all it offers are equal blueprints."""

    label: str
    composition: Composition
    contains_ship: bool
    items_offered: int
    items_requested: int
    blueprint: Blueprint | None


def summarise(items: Sequence[PublicItem], facts: Mapping[int, TypeFacts]) -> Summary:
    """The summary of a contract that holds `items`, at least one; `facts` knows all their types."""
    offered = [item for item in items if item.is_included]
    requested = [item for item in items if not item.is_included]
    return Summary(
        label=_label(offered or requested, facts, wanted=not offered),
        composition=_composition(offered, requested),
        contains_ship=any(_is_ship(item, facts) for item in offered),
        items_offered=len(offered),
        items_requested=len(requested),
        blueprint=_blueprint(offered),
    )


def _composition(offered: Sequence[PublicItem], requested: Sequence[PublicItem]) -> Composition:
    if not offered:
        return "want_to_buy"
    if requested:
        return "exchange"
    return "single" if len({item.type_id for item in offered}) == 1 else "bundle"


def _label(items: Sequence[PublicItem], facts: Mapping[int, TypeFacts], *, wanted: bool) -> str:
    """The most telling type, a ship if there is one, how many of it, and how many types more."""
    first = next((item for item in items if _is_ship(item, facts)), items[0])
    quantity = sum(item.quantity for item in items if item.type_id == first.type_id)
    others = len({item.type_id for item in items}) - 1
    count = f"{quantity:,} \N{MULTIPLICATION SIGN} " if quantity != 1 else ""
    more = "" if not others else f" and {others} more type{'s' if others > 1 else ''}"
    return f"{'Wanted: ' if wanted else ''}{count}{facts[first.type_id].name}{more}"


def _is_ship(item: PublicItem, facts: Mapping[int, TypeFacts]) -> bool:
    return facts[item.type_id].category_id == SHIP


def _blueprint(offered: Sequence[PublicItem]) -> Blueprint | None:
    """An original carries no flag and no runs on the public route, so its research is what tells it from an item."""
    kinds = {
        (item.type_id, item.is_blueprint_copy, item.material_efficiency, item.time_efficiency, item.runs)
        for item in offered
    }
    if len(kinds) != 1:
        return None
    _, is_copy, material, time, runs = kinds.pop()
    if not is_copy and material is None and time is None:
        return None
    return Blueprint(bool(is_copy), material, time, runs if is_copy else None)
