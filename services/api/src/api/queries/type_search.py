"""Types by the words of their names, as JSON text that PostgreSQL wrote."""

from dataclasses import dataclass, field
from typing import Any

from api.queries.arguments import Arguments
from api.queries.live_counts import unsettled
from api.queries.pricing import BLUEPRINT, RELIC, SHIP
from api.queries.spelling import nearest
from api.schemas.type_search import TypeQuery
from common.words import words_of

# What is called so in just these words, what begins so, and the rest; of each what is offered most comes first.
FOUND = """
/* types.found */
WITH matched AS (
    SELECT t.type_id, t.name, t.group_id, t.meta_group_id, {rank} AS rank
      FROM types t LEFT JOIN groups g USING (group_id) WHERE {conditions}
), counted AS (
    SELECT m.*, coalesce(l.contracts, 0) + coalesce(u.change, 0) AS live
      FROM matched m LEFT JOIN listed_counts l ON l.kind = 'type' AND l.id = m.type_id
           LEFT JOIN ({unsettled}) u ON u.id = m.type_id
), best AS (
    SELECT * FROM counted {offered}
     ORDER BY rank, live DESC, length(name), name, type_id LIMIT {limit}
)
SELECT json_build_object(
           'as_of', (SELECT min(swept_at) FROM coverage), 'more', (SELECT count(*) FROM counted {offered}) > {limit},
           'corrected', {corrected}::json,
           'items', (SELECT coalesce(json_agg(json_build_object(
               'type_id', type_id, 'name', b.name, 'group_id', group_id, 'group_name', g.name,
               'category_id', category_id, 'category_name', k.name, 'meta_group_id', meta_group_id, 'live', live,
               'image', 'https://images.evetech.net/types/' || type_id || CASE category_id
                   WHEN {ship} THEN '/render' WHEN {blueprint} THEN '/bp' WHEN {relic} THEN '/relic' ELSE '/icon' END)
               ORDER BY rank, live DESC, length(b.name), b.name, type_id), '[]')
                       FROM best b LEFT JOIN groups g USING (group_id)
                            LEFT JOIN categories k USING (category_id)))::text
"""
WRITTEN = """
/* types.written: which of these words begin none of a type's name */
SELECT array_agg(word) FROM unnest($1::text[]) AS word
 WHERE NOT EXISTS (SELECT FROM types WHERE words @@ (quote_literal(word) || ':*')::tsquery)
"""


@dataclass(frozen=True, slots=True)
class Meant:
    """Words of a query, and for those that nobody writes the ones they were taken for."""

    words: list[str]
    corrected: dict[str, list[str]] = field(default_factory=dict)

    def lexemes(self) -> str:
        """Every word has to begin one of the name, as a text search query."""
        return " & ".join(
            "(" + " | ".join(f"'{each}':*" for each in self.corrected.get(word, [word])) + ")" for word in self.words
        )


async def understand(connection: Any, q: str) -> Meant:
    """What `q` means: a word that begins no word of any type's name is taken for the nearest that New Eden knows."""
    words = list(dict.fromkeys(words_of(q)))
    strange = await connection.fetchval(WRITTEN, words) or []
    corrected = {word: near for word in strange if (near := await nearest(connection, word))}
    return Meant(words, corrected)


async def find(connection: Any, query: TypeQuery, meant: Meant | None, corrected: str) -> str:
    """The types that `query` asks for, the best first; `corrected` is the JSON text of what was corrected."""
    arguments = Arguments()
    conditions = _conditions(query, arguments)
    rank = "0"
    if meant is not None:
        conditions.append(f"t.words @@ {arguments.place(meant.lexemes())}::text::tsquery")
        asked = f"lower({arguments.place((query.q or '').replace(chr(0), '').strip())}::text)"
        rank = f"CASE WHEN lower(t.name) = {asked} THEN 0 WHEN starts_with(lower(t.name), {asked}) THEN 1 ELSE 2 END"
    statement = FOUND.format(
        rank=rank,
        conditions=" AND ".join(conditions) or "true",
        unsettled=unsettled("type"),
        offered="WHERE live > 0" if query.on_offer else "",
        limit=f"{arguments.place(query.limit)}::int",
        corrected=f"{arguments.place(corrected)}::text",
        ship=SHIP,
        blueprint=BLUEPRINT,
        relic=RELIC,
    )
    found: str = await connection.fetchval(statement, *arguments)
    return found


def _conditions(query: TypeQuery, arguments: Arguments) -> list[str]:
    conditions = []
    if query.group_id:
        conditions.append(f"t.group_id = ANY({arguments.place(query.group_id)}::bigint[])")
    if query.category_id:
        conditions.append(f"g.category_id = ANY({arguments.place(query.category_id)}::bigint[])")
    return conditions
