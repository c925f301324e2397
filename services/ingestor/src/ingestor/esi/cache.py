"""Answers that are kept with their validators, so that what has not changed is not sent again."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

import msgspec
from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from common.tables import upstream_responses as responses
from ingestor.esi.client import Answer, EsiClient, Traffic
from ingestor.esi.errors import UpstreamRefusedError, UpstreamUnavailableError
from ingestor.esi.governor import Share

_OK, _NOT_MODIFIED = 200, 304
_GZIP = 31
LONGEST_NUMBER = 7
"""Digits: no list of ESI's has a million pages, and the column holds no ten digits."""

_LIST = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True, slots=True)
class Cached:
    """A body that is upstream's newest. `changed`: it is not what was kept before."""

    body: bytes
    changed: bool
    generation: datetime
    fresh_for: timedelta
    pages: int | None


@dataclass(frozen=True, slots=True)
class Validators:
    """What a kept answer can be asked for again with; its body stays in the database."""

    etag: str | None
    last_modified: str | None
    pages: int | None = None

    def headers(self) -> dict[str, str]:
        """If-None-Match where there is an ETag, else If-Modified-Since."""
        if self.etag:
            return {"If-None-Match": self.etag}
        return {"If-Modified-Since": self.last_modified} if self.last_modified else {}

    def confirmed_by(self, answer: Answer) -> bool:
        """Whether a 304 speaks of this answer; one that names another ETag does not."""
        named = answer.headers.get("ETag")
        return answer.status == _NOT_MODIFIED and (not named or not self.etag or _opaque(named) == _opaque(self.etag))


class ResponseCache:
    """Reads and writes `upstream_responses`."""

    def __init__(self, engine: AsyncEngine, esi: EsiClient) -> None:
        self._engine = engine
        self._esi = esi

    async def get(
        self,
        path: str,
        *,
        traffic: Traffic,
        params: Mapping[str, str] | None = None,
        again: bool = False,
        share: Share = Share.BULK,
    ) -> Cached:
        """Upstream's newest body for `path`, a list; before it expires it is not asked for at all, unless `again`.

        What is no list is not kept: its validator would be confirmed again and again, and it would stand for ever.
        Raises `UpstreamRefusedError` for any answer but a body, and `UpstreamUnavailableError` as the client does.
        """
        kept = await self._kept(key(path, params))
        if kept is not None and kept.left > timedelta() and not again:
            return Cached(_unpacked(kept.body), False, _generation(kept.last_modified), kept.left, kept.pages)  # noqa: FBT003
        answer = await self._ask(path, params, kept, traffic, share)
        if answer.status == _NOT_MODIFIED:
            return await self._confirmed(path, params, kept, answer)
        if answer.status != _OK:
            raise UpstreamRefusedError(answer.status, answer.error())
        if _is_list(answer.body):
            async with self._engine.begin() as connection:
                await keep(connection, {key(path, params): answer})
        changed = kept is None or _unpacked(kept.body) != answer.body
        return Cached(
            answer.body, changed, _generation(answer.headers.get("Last-Modified")), answer.fresh_for, _pages(answer)
        )

    async def _ask(
        self, path: str, params: Mapping[str, str] | None, kept: Any, traffic: Traffic, share: Share
    ) -> Answer:
        if kept is not None:
            validators = Validators(kept.etag, kept.last_modified)
            headers = validators.headers()
            answer = await self._esi.get(path, params=params, headers=headers, traffic=traffic, share=share)
            if answer.status != _NOT_MODIFIED or validators.confirmed_by(answer):
                return answer
        return await self._esi.get(path, params=params, traffic=traffic, share=share)

    async def _confirmed(self, path: str, params: Mapping[str, str] | None, kept: Any, answer: Answer) -> Cached:
        async with self._engine.begin() as connection:
            await connection.execute(
                responses.update()
                .where(responses.c.key == key(path, params))
                .values(expires_at=func.clock_timestamp() + answer.fresh_for)
            )
        stamp = answer.headers.get("Last-Modified") or kept.last_modified
        return Cached(_unpacked(kept.body), False, _generation(stamp), answer.fresh_for, kept.pages)  # noqa: FBT003

    async def _kept(self, of: str) -> Any:
        async with self._engine.connect() as connection:
            rows = await connection.execute(
                select(responses, (responses.c.expires_at - func.clock_timestamp()).label("left")).where(
                    responses.c.key == of
                )
            )
            kept = rows.one_or_none()
        return kept if kept is not None and _readable(kept.body) else None


async def validators(connection: AsyncConnection, path: str) -> dict[str, Validators]:
    """The validators that are kept for the pages of `path`, by key."""
    rows = await connection.execute(
        select(responses.c.key, responses.c.etag, responses.c.last_modified, responses.c.pages).where(
            responses.c.key.startswith(f"{path}?", autoescape=True)
        )
    )
    return {row.key: Validators(row.etag, row.last_modified, row.pages) for row in rows}


async def bodies(connection: AsyncConnection, keys: Sequence[str]) -> dict[str, bytes]:
    """The bodies that are kept for `keys`; one that cannot be read is not there."""
    rows = await connection.execute(select(responses.c.key, responses.c.body).where(responses.c.key.in_(keys)))
    return {row.key: _unpacked(row.body) for row in rows if _readable(row.body)}


async def keep(connection: AsyncConnection, answers: Mapping[str, Answer]) -> None:
    """Keep `answers` in place of what was kept before; one without a validator is of no use and is left out."""
    rows = [
        {
            "key": of,
            "etag": answer.headers.get("ETag"),
            "last_modified": answer.headers.get("Last-Modified"),
            "expires_at": func.clock_timestamp() + answer.fresh_for,
            "pages": _pages(answer),
            "body": zlib.compress(answer.body, level=1, wbits=_GZIP),
            "stored_at": func.clock_timestamp(),
        }
        for of, answer in sorted(answers.items())
        if answer.headers.get("ETag") or answer.headers.get("Last-Modified")
    ]
    for row in rows:
        values = {name: value for name, value in row.items() if name != "key"}
        await connection.execute(
            insert(responses).values(**row).on_conflict_do_update(index_elements=["key"], set_=values)
        )


async def forget_old(connection: AsyncConnection) -> None:
    """Drop what expired days ago: of auctions that are over, or of pages that a list has no more."""
    await connection.execute(responses.delete().where(responses.c.expires_at < func.now() - text("interval '2 days'")))


def key(path: str, params: Mapping[str, str] | None = None) -> str:
    """Under which an answer is kept."""
    return f"{path}?{urlencode(sorted(params.items()))}" if params else path


def _opaque(tag: str) -> str:
    """Weak comparison: the mark does not count. Static routes mark theirs, and change them each downtime."""
    return tag.strip().removeprefix("W/")


def _readable(body: bytes) -> bool:
    try:
        zlib.decompress(body, wbits=_GZIP)
    except zlib.error:
        return False
    return True


def _is_list(body: bytes) -> bool:
    try:
        _LIST.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return True


def _unpacked(body: bytes) -> bytes:
    return zlib.decompress(body, wbits=_GZIP)


def _generation(last_modified: str | None) -> datetime:
    try:
        return parsedate_to_datetime(last_modified or "").astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UpstreamUnavailableError("an answer without Last-Modified cannot be placed in time") from error


def _pages(answer: Answer) -> int | None:
    stated = answer.headers.get("X-Pages", "")
    return int(stated) if stated.isdecimal() and len(stated) < LONGEST_NUMBER else None
