"""The cached pages of regions' lists: what ESI serves for half an hour, whatever happens on the market meanwhile."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from esi_simulator.errors import no_such_page
from esi_simulator.exchange import Document
from esi_simulator.rows import Rows
from esi_simulator.world import World

USUAL_SIZE: Final = 1000


@dataclass(frozen=True, slots=True)
class Page:
    """One page as of the instant it was made; `pages` is how many there were then."""

    document: Document
    modified: int
    expires: int
    pages: int


class Lists:
    """Each page is cached by itself and made anew when it is first asked for after its own expiry, as ESI does.

    The pages of a region share a phase: the crowd that asks ESI all day has every page made within `skew` seconds of
    the first one. So pages of one generation differ by at most that, and only a sweep that meets an expiry is sheared.
    """

    def __init__(self, world: World, rows: Rows, *, ttl: int, size: int, skew: int) -> None:
        self._world = world
        self._rows = rows
        self._ttl = ttl
        self._size = size
        self._skew = skew
        self._begun: dict[int, int] = {}
        self._pages: dict[int, dict[int, Page]] = {}
        self._alone: set[tuple[int, int]] = set()
        self._straddling: set[int] = set()
        self.as_usual()

    def as_usual(self) -> None:
        """Pages share their region's phase again, and nothing is odd about them."""
        self._alone.clear()
        self._straddling.clear()
        self.late = 0.0
        """Seconds past its Expires for which an old page goes on being served."""
        self.past_end = 404
        """The status of pages past the end: 404, or the 500 of the older path."""

    def page(self, region_id: int, number: int) -> tuple[Page, bool]:
        """A page and whether it was made only now; 404 or 500 beyond the last one."""
        pages = self._pages.setdefault(region_id, {})
        now = self._world.clock.now()
        cached = pages.get(number)
        if cached is not None and now < cached.expires + self.late:
            return cached, False
        pages[number] = self._made(region_id, number, self._made_at(region_id, number, int(now)), cached)
        return pages[number], True

    def expire(self, region_id: int, numbers: Iterable[int]) -> None:
        """Have these pages made anew, each by itself, as of the moment it is asked for next; the others stay."""
        pages = self._pages.setdefault(region_id, {})
        for number in numbers:
            pages.pop(number, None)
            self._alone.add((region_id, number))

    def straddle(self, region_id: int, step: float) -> None:
        """Let each page of a region expire `step` seconds after the one before it, from now on."""
        now = int(self._world.clock.now())
        self._straddling.add(region_id)
        first, _ = self.page(region_id, 1)
        for number in range(1, first.pages + 1):
            page, _ = self.page(region_id, number)
            ends = now + int((number - 1) * step)
            self._pages[region_id][number] = Page(page.document, page.modified, ends, page.pages)

    def readable_from(self, region_id: int, contract_id: int) -> float:
        """The instant from which a page can be read that has this contract; the present if it already can.

        A page that the first one does not count yet can be read by nobody: it is not known to be there.
        """
        now = self._world.clock.now()
        number = self._world.ids(region_id, float(int(now))).index(contract_id) // self._size + 1
        first = self._pages.get(region_id, {}).get(1)
        if first is not None and number > first.pages and now < first.expires + self.late:
            return first.expires + self.late
        cached = self._pages.get(region_id, {}).get(number)
        if cached is not None and now < cached.expires + self.late:
            return cached.expires + self.late
        begun = self._begun.get(region_id)
        if begun is None or now >= begun + self._ttl + self.late or region_id in self._straddling:
            return now
        return (
            now
            if contract_id in self._world.ids(region_id, float(min(int(now), begun + self._skew)))
            else begun + self._ttl
        )

    def _made_at(self, region_id: int, number: int, now: int) -> int:
        """The instant whose market a page shows that is made now."""
        if region_id in self._straddling or (region_id, number) in self._alone:
            self._alone.discard((region_id, number))
            return now
        begun = self._begun.get(region_id)
        if begun is None or now >= begun + self._ttl + self.late:
            begun = self._begun[region_id] = now
            self._rows.forget_ended(region_id, self._world.ids(region_id, float(now)))
        return min(now, begun + self._skew)

    def _made(self, region_id: int, number: int, at: int, before: Page | None) -> Page:
        ids = self._world.ids(region_id, float(at))
        pages = max(1, -(-len(ids) // self._size))
        if number > pages:
            raise no_such_page(self.past_end)
        body = self._rows.body(region_id, ids[(number - 1) * self._size : number * self._size], at)
        unchanged = before is not None and before.document.body == body
        return Page(before.document if before and unchanged else Document(body), at, at + self._ttl, pages)
