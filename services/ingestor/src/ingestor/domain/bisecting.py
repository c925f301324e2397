"""Finding the one that spoils a batch in few questions."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Bisection:
    """What is left to be asked for of a batch, in order. A batch that is `spoiled` is known to hold a bad one."""

    left: list[Sequence[int]] = field(default_factory=list)
    bad: list[int] = field(default_factory=list)

    def next(self) -> Sequence[int] | None:
        """The batch to be asked for now, or None when there is none left."""
        return self.left[-1] if self.left else None

    def good(self) -> None:
        """The batch was answered. If it is the first half of a spoiled one, the bad one is in the second."""
        self.left.pop()
        if self.left and isinstance(self.left[-1], _Spoiled):
            self._split(self.left.pop())

    def spoiled(self) -> None:
        """The batch was refused because of one in it."""
        batch = self.left.pop()
        if self.left and isinstance(self.left[-1], _Spoiled):
            # The bad one that spoiled both was in here; of the second half nothing is known any more.
            self.left.append(list(self.left.pop()))
        self._split(batch)

    def _split(self, batch: Sequence[int]) -> None:
        if len(batch) == 1:
            self.bad += batch
            return
        middle = len(batch) // 2
        self.left += [_Spoiled(batch[middle:]), list(batch[:middle])]


class _Spoiled(list[int]):
    """The second half of a spoiled batch, as long as its first half has not been found to be spoiled itself."""
