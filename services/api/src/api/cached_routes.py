"""Whose answers are kept, and what they are made of."""

from collections.abc import Mapping

PREFIX = "/api/v1/"

CACHED: Mapping[str, tuple[str, ...] | None] = {
    "contracts": ("contracts", "coverage", "names", "universe"),
    "contracts/couriers": ("contracts", "coverage", "names", "universe"),
    "contracts/deals": ("contracts", "coverage", "names", "prices", "universe"),
    "contracts/export": None,  # it streams
    "contracts/taxonomy": ("contracts", "coverage", "live", "universe"),
    "contracts/{}": ("contracts", "coverage", "names", "prices", "universe"),
    "contracts/{}/bids": ("contracts", "coverage"),
    "contracts/{}/history": ("contracts", "coverage"),
    "regions": ("coverage", "live", "universe"),
    "stations": ("coverage", "live", "universe"),
    "systems": ("coverage", "live", "universe"),
    "systems/{}": ("live", "universe"),
    "types": ("coverage", "live", "universe"),
    "types/{}": ("live", "prices", "universe"),
    "types/{}/prices": ("contracts", "coverage", "prices", "universe"),
}
"""Each path, `{}` for an id, with the subjects of `api.market` that show in its answers. Others are never kept.

An answer that is kept depends on the path, the query and these subjects alone: not on who asks, nor on the clock but
for the moments that `queries/market.py` names. So `data/stats`, which says how old everything is, is not among them.
What an answer reads, it has to name; a test compares that with the triggers.
"""


def subjects_of(path: str) -> tuple[str, ...] | None:
    """What the answer at `path` is made of; None if it is not to be kept."""
    if not path.startswith(PREFIX):
        return None
    place = path.removeprefix(PREFIX)
    if place in CACHED:
        return CACHED[place]
    noun, _, rest = place.partition("/")
    _, slash, more = rest.partition("/")
    return CACHED.get(f"{noun}/{{}}{slash}{more}")
