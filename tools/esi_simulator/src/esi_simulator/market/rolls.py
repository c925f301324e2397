"""Abyssal items: what a mutaplasmid made of a module, as pure functions of a seed and the item's id."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from common.universe import ItemType
from esi_simulator.market.catalogue import ABYSSAL, MUTAPLASMIDS, Catalogue, Ware
from esi_simulator.market.chance import dice, one_of
from esi_simulator.market.people import any_character

_MUTABLE: Final = (6, 20, 30, 50, 54, 64, 68, 73, 84, 105, 554, 796)
"""Attributes that mutaplasmids change: capacitor need, speed, powergrid, CPU, range, damage, repair and so on."""
_FIXED: Final = ((422, 2.0), (633, 8.0), (1692, float(ABYSSAL)))
"""Tech level, meta level and meta group."""
_EFFECTS: Final = ((16, False), (12, False), (13, True))


class Mutation(NamedTuple):
    """How one abyssal type comes about: what it may be made of, by which mutaplasmids, and what changes."""

    type_id: int
    sources: Sequence[int]
    mutators: Sequence[int]
    attributes: Mapping[int, float]

    def roll(self, seed: int, item_id: int) -> dict[str, Any]:
        """What the item is, in ESI's words; the same for ever."""
        rng = dice(seed, self.type_id, item_id)
        rolled = {attribute: round(base * rng.uniform(0.7, 1.4), 12) for attribute, base in self.attributes.items()}
        return {
            "created_by": any_character(rng),
            "dogma_attributes": [
                {"attribute_id": attribute, "value": value} for attribute, value in sorted({*rolled.items(), *_FIXED})
            ],
            "dogma_effects": [{"effect_id": effect, "is_default": default} for effect, default in _EFFECTS],
            "mutator_type_id": one_of(rng, self.mutators),
            "source_type_id": one_of(rng, self.sources),
        }


def mutations(wares: Catalogue, types: Iterable[ItemType]) -> dict[int, Mutation]:
    """One for each abyssal type: made of types of its own group, by mutaplasmids whose names speak of it."""
    items = {item.type_id: item for item in types}
    sources: defaultdict[int, list[int]] = defaultdict(list)
    for item in items.values():
        if item.meta_group_id != ABYSSAL:
            sources[item.group_id].append(item.type_id)
    mutators = [item for item in items.values() if item.group_id == MUTAPLASMIDS]
    return {ware.type_id: _mutation(ware, sources[items[ware.type_id].group_id], mutators) for ware in wares.abyssals}


def _mutation(ware: Ware, sources: Sequence[int], mutators: Sequence[ItemType]) -> Mutation:
    words = set(ware.name.split()) - {"Abyssal", "Mutated"}
    fitting = [item.type_id for item in mutators if words <= set(item.name.split())]
    rng = dice(ware.type_id)
    changed = rng.sample(_MUTABLE, 4)
    attributes = {attribute: rng.lognormvariate(3, 1.5) for attribute in changed}
    return Mutation(ware.type_id, sources or [ware.type_id], fitting or [item.type_id for item in mutators], attributes)
