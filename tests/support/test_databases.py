import asyncio

import asyncpg
import pytest

from support.databases import Databases

WORDS = "SELECT md5(string_agg(w::text, ',' ORDER BY word)) FROM words w"


async def _asked(url: str, *statements: str) -> list[str | None]:
    connection = await asyncpg.connect(url)
    answers = [await connection.fetchval(statement) for statement in statements]
    await connection.close()
    return answers


@pytest.mark.parametrize(
    "statement",
    ["INSERT INTO words VALUES ('unheardof', false)", "UPDATE words SET is_named = NOT is_named WHERE word < 'b'"],
)
def test_what_a_test_writes_among_settled_rows_is_not_there_for_the_next_one(
    databases: Databases, statement: str
) -> None:
    with databases.settled() as url:
        before, _, after = asyncio.run(_asked(url, WORDS, statement, WORDS))
    with databases.settled() as url:
        (found,) = asyncio.run(_asked(url, WORDS))

    assert found == before != after
