"""Whose answers are kept, and what they are made of."""

WHOLE_MARKET = ("contracts", "coverage", "names", "prices", "universe")

CACHED: tuple[tuple[str, tuple[str, ...] | None], ...] = (
    ("/api/v1/contracts/export", None),  # it streams
    ("/api/v1/contracts", WHOLE_MARKET),
    ("/api/v1/types", WHOLE_MARKET),
    ("/api/v1/regions", WHOLE_MARKET),
    ("/api/v1/systems", WHOLE_MARKET),
    ("/api/v1/stations", WHOLE_MARKET),
)
"""Each path and all below it, with the subjects of `api.market`; the first that fits counts. None: never kept.

An answer that is kept depends on the path, the query and these subjects alone: not on who asks, nor on the clock but
for the moments that `queries/market.py` names. So `data/stats`, which says how old everything is, is not among them.
"""


def subjects_of(path: str) -> tuple[str, ...] | None:
    """What the answer at `path` is made of; None if it is not to be kept."""
    for prefix, subjects in CACHED:
        if path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in {"", "/"}:
            return subjects
    return None
