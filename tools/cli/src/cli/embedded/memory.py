"""How much of the machine's memory the embedded PostgreSQL may take for what it has read."""

import os
from collections.abc import Iterable
from pathlib import Path

MEGABYTE = 1 << 20
CONTROL_GROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
"""Where a container learns what it was given, by version of control groups."""
LEAST, MOST = 128, 4096
"""PostgreSQL's default, and what holds ten times the market of New Eden."""


def megabytes_of_buffers() -> int:
    """A quarter of the memory, as PostgreSQL's documentation advises for `shared_buffers`, within reason.

    Pages that are not among these are copied from the system's memory each time, a hundred in a millisecond. Memory is
    taken as it is filled, but for a fortieth, which says what is where.
    """
    return min(max(LEAST, _memory() // 4 // MEGABYTE), MOST)


def _memory() -> int:
    """Bytes that the machine has, or that this process's container was given."""
    return min([os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), *_limits()])


def _limits() -> Iterable[int]:
    for file in CONTROL_GROUP_LIMITS:
        try:
            yield int(file.read_text(encoding="ascii"))
        except (OSError, ValueError):  # no such version, or `max`
            continue
