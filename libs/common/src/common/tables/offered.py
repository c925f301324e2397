"""What the index of what contracts offer knows of them beside that: by what few are found who offer the same.

Such an index finds by equality. So it has lists, of which one thing is asked for: what is less than some price is on
one of its steps, which is on the list of each contract that is not above. The index leaves out none that is asked for,
and at times too few others: whoever asks it compares what is asked for as well.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final, NamedTuple

IS_OFFERED: Final = "(delisted_at IS NULL) IS TRUE AND facets IS NOT NULL"
"""Of which contracts it is. That they are listed it says in other words than all other indexes: PostgreSQL takes two
partial indexes with a condition in common for redundant, and never looks for what is in both."""

ISSUED_ON: Final = "(ARRAY[(date_issued AT TIME ZONE 'UTC')::date])"
"""The day on which a contract was issued, in UTC."""


class Ladder(NamedTuple):
    """Steps of a column of `contracts`, ascending, in so many of its units; a function in SQL says who is on which."""

    column: str
    unit: float
    steps: Sequence[int]
    function: str

    def bound(self, step: int) -> float:
        """What is on this step is not above that."""
        return float(f"{step * self.unit:.9g}")

    def step(self, most: Decimal | float) -> int | None:
        """The lowest that nothing up to `most` is above; None if that is above all."""
        return next((step for step in self.steps if most <= self.bound(step)), None)

    def sql(self, table: str = "") -> str:
        """The steps that a contract is on; none where it has no such value, or is above all."""
        return f"{self.function}({table}{self.column})"


MILLIONS: Final = Ladder("price", 1_000_000, (1, 3, 10, 30), "steps_of_price")
"""ISK. Three of five contracts that offer something are not above the last."""
HUNDREDTHS: Final = Ladder("value_ratio", 0.01, (60, 80, 100, 120), "steps_of_value")
"""Of what it is worth. Most contracts have no such value, or are above."""

TRAITS: Final = {"nowhere": 1, "low": 2, "null": 3, "wormhole": 4, "auction": 5, "ship": 6}
"""What is true of few contracts, as `traits_of` in SQL has it: numbers that no place and no corporation has."""
THE_FORGE: Final = 10000002
"""The region of half of what is offered: no trait, for it leaves too many."""
_TOLD_BY = ("region_id", "system_id", "start_location_id", "issuer_corporation_id", "security", "type", "contains_ship")


def traits(table: str = "") -> str:
    """Region, system, station and the issuer's corporation of a contract, and which of `TRAITS` are true of it."""
    return f"traits_of({', '.join(f'{table}{column}' for column in _TOLD_BY)})"
