"""Asking for many things within an allowance of errors."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestor.esi.asking import Answers, Refusal, ask_each
from ingestor.esi.errors import UpstreamUnavailableError

NOT_FOUND = Refusal(404, "not found")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["found", "refused", "empty", "away"]), max_size=40), st.integers(1, 6))
def test_a_round_never_costs_more_errors_than_it_asks_at_once(fates: list[str], at_once: int) -> None:
    asked = list[int]()

    async def ask(number: int) -> str | Refusal:
        asked.append(number)
        await asyncio.sleep(0)
        if fates[number] == "away":
            raise UpstreamUnavailableError("down")
        return {"found": "it", "refused": NOT_FOUND, "empty": Refusal(204, "")}[fates[number]]  # type: ignore[return-value]  # a refusal or what was found

    try:
        answers = asyncio.run(ask_each(range(len(fates)), ask, at_once=at_once))
    except UpstreamUnavailableError:
        answers = Answers(failed=dict.fromkeys(asked, "down"))

    assert len(set(asked)) == len(asked) == len(answers.given) + len(answers.failed)
    assert answers.errors() + len(answers.failed) <= at_once
    if answers.errors() + len(answers.failed) < at_once:
        assert len(asked) == len(fates)


async def test_what_was_answered_is_kept_when_time_is_up() -> None:
    async def ask(number: int) -> int:
        await asyncio.sleep(3600 * number)
        return number

    answers = await ask_each([0, 1, 2], ask, at_once=2, seconds=0.05)

    assert answers.found() == {0: 0}
    assert answers.flaw == "not all were answered within 0.05 s"


async def test_a_round_without_any_answer_is_none() -> None:
    async def ask(_: int) -> int:
        await asyncio.sleep(3600)
        return 0

    with pytest.raises(UpstreamUnavailableError):
        await ask_each([1, 2], ask, at_once=2, seconds=0.05)
