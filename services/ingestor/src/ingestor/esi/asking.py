"""Asking for many things one by one: some at once, within an allowance of errors, keeping what was answered."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from ingestor.esi.errors import UpstreamUnavailableError

SECONDS = 15
"""For one round: far below the deadline of a run, so that what was answered is stored, and nobody waits long for it."""

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Upstream answered, and it was not what was asked for. It says nothing about the thing itself."""

    status: int
    message: str

    @property
    def is_error(self) -> bool:
        """Whether ESI counts it against the 100 errors a minute; a 204 or a body we cannot read is none."""
        return self.status >= 400  # noqa: PLR2004 - where HTTP's errors begin

    def __str__(self) -> str:
        return f"{self.status}: {self.message}"[:200]


@dataclass(slots=True)
class Answers(Generic[K, T]):
    """What was answered, what upstream failed at, and why the round is not whole, if it is not."""

    given: dict[K, T | Refusal] = field(default_factory=dict)
    failed: dict[K, str] = field(default_factory=dict)
    flaw: str | None = None

    def found(self) -> dict[K, T]:
        """The answers that are what was asked for."""
        return {key: answer for key, answer in self.given.items() if not isinstance(answer, Refusal)}

    def refused(self) -> dict[K, Refusal]:
        return {key: answer for key, answer in self.given.items() if isinstance(answer, Refusal)}

    def errors(self) -> int:
        """Answers that ESI counts as errors."""
        return sum(answer.is_error for answer in self.refused().values())


async def ask_each(
    keys: Iterable[K], ask: Callable[[K], Awaitable[T | Refusal]], *, at_once: int, seconds: float = SECONDS
) -> Answers[K, T]:
    """Ask for all of `keys`, so many `at_once`, for `seconds` at most.

    Whoever meets an error stops asking, so a round never costs more than `at_once` errors; what it leaves out is left
    to a later one. Raises `UpstreamUnavailableError` when nothing was answered at all.
    """
    answers, left, away = Answers[K, T](), iter(keys), list[UpstreamUnavailableError]()
    try:
        async with asyncio.timeout(seconds) as deadline, asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(_one_by_one(left, ask, answers, away))
    except TimeoutError:
        if not deadline.expired():
            raise
        answers.flaw = f"not all were answered within {seconds:g} s"
        away.append(UpstreamUnavailableError(answers.flaw))
    if away and not answers.given:
        raise away[0]
    return answers


async def _one_by_one(
    left: Iterator[K],
    ask: Callable[[K], Awaitable[T | Refusal]],
    answers: Answers[K, T],
    away: list[UpstreamUnavailableError],
) -> None:
    for key in left:
        try:
            answer = await ask(key)
        except UpstreamUnavailableError as error:
            away.append(error)
            answers.failed[key] = answers.flaw = str(error)[:200]
            return
        answers.given[key] = answer
        if isinstance(answer, Refusal) and answer.is_error:
            return
