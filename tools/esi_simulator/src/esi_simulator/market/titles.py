"""What traders write above their contracts."""

from random import Random
from typing import Final

from esi_simulator.market.chance import one_of
from esi_simulator.market.contents import Bundle, Stack

LONGEST_TITLE: Final = 50

_BY_KIND: Final = {
    "originals": ("10/20 BPO", "ME 10, TE 20 - Fully Researched", "PERFECTLY RESEARCHED BPO *****"),
    "abyssals": ("{count}x Abyssal Modules", "good rolls", "god roll {name}", "mutated, check stats"),
    "ship": ("{name} rigged", "ADS - {name}", "Fit {name}  ready to undock", "{name} packaged"),
    "wanted": ("WTB {name}", "buying {name}, paying well", "WTB"),
    "mixture": ("Moving Sale!! Cheap Stuffs", "Clearance", "leaving the game, all must go"),
    "hoard": ("my whole hangar", "Everything must go!"),
}
_ANY: Final = (
    "WTS {name}",
    "{name}",
    "cheap",
    "{count}x {name}",
    "below Jita price https://example.com/sale",
    "колекционное",
)


def title(rng: Random, bundle: Bundle) -> str:
    """Half of all contracts have none; at most 50 characters, free text with all that people type."""
    if rng.random() < 0.5:  # noqa: PLR2004 - 49.7 % recorded
        return ""
    first = bundle.stacks[0]
    templates = (_copy_title(first),) if bundle.kind == "copies" else _BY_KIND.get(bundle.kind, _ANY)
    text = one_of(rng, templates).format(name=first.ware.name, count=len(bundle.stacks))
    return text[:LONGEST_TITLE]


def _copy_title(stack: Stack) -> str:
    copy = stack.blueprint
    return f"R:{copy.runs} {copy.material_efficiency}/{copy.time_efficiency}" if copy else "{name}"
