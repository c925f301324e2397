"""No number that anything takes is an error of ours: what is none, or larger than anything, is refused."""

import asyncio
import re
from collections.abc import Iterator, Mapping
from typing import Any

from support.served_api import ServedApi

NONE_OR_TOO_LARGE = ("9" * 19, "9" * 40, "1e309", "inf", "nan")
FITTING = {"schedule_id": "x", "run_id": "x", "request_id": "x"}


def numeric(schema: Mapping[str, Any]) -> bool:
    """Whether it is a number, a list of numbers, or one of these or nothing."""
    parts = [schema, schema.get("items", {}), *schema.get("anyOf", [])]
    return any(part.get("type") in {"integer", "number"} for part in parts)


def numbers(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each path that is read and a number that it takes, in the path or in the query."""
    for path, item in document["paths"].items():
        for parameter in item.get("get", {}).get("parameters", []):
            if numeric(parameter["schema"]):
                yield path, parameter["name"]


async def test_no_operation_takes_a_number_that_is_none_or_too_large(api: ServedApi) -> None:
    document = (await api.get("/openapi.json")).content
    taken = list(numbers(document))

    async def statuses(path: str, name: str) -> set[int]:
        replies = []
        for number in NONE_OR_TOO_LARGE:
            place = path.replace(f"{{{name}}}", number)
            place = re.sub(r"{(\w+)}", lambda found: FITTING.get(found[1], "1"), place)
            query = {} if f"{{{name}}}" in path else {name: number}
            replies.append(await api.get(place, params=query))
        return {reply.status for reply in replies}

    answered = await asyncio.gather(*(statuses(path, name) for path, name in taken))

    assert len(taken) > 50
    assert {of: found for of, found in zip(taken, answered, strict=True) if found != {422}} == {}
