"""The rows of a page: those we have read before are told by their bytes and not read again."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from common.logs import get_logger
from ingestor.domain.listing import storable
from ingestor.esi.errors import UpstreamUnavailableError
from ingestor.esi.models import PublicContract

log = get_logger(__name__)

_RAW = msgspec.json.Decoder(list[msgspec.Raw])
_ROW = msgspec.json.Decoder(PublicContract)
_ESCAPE = re.compile(rb"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|(\\u[dD][89a-fA-F]..)|\\.")
"""Whole pairs of surrogates, half ones, any other escape. A title that was cut within a character ends with half a
pair: no JSON to our decoder, and it must not cost the whole list."""


@dataclass(frozen=True, slots=True)
class PageRows:
    """A page's contracts in its order: ids, the print of each row's bytes, and those rows that are new."""

    ids: tuple[int, ...]
    prints: tuple[int, ...]
    new: tuple[PublicContract, ...]
    rejected: int = 0


def read_rows(body: bytes, known: Mapping[int, int]) -> PageRows:
    """The page's rows; those whose print is `known` (to be that contract's) are not decoded.

    A print is Python's 64-bit hash: among a million rows two are alike once in 37 million readings, and what comes of
    it is that one row is taken for unchanged until it changes again. Raises `UpstreamUnavailableError` for what is no
    list.
    """
    raws = _raws(body)
    ids: list[int] = []
    prints: list[int] = []
    new: list[PublicContract] = []
    for raw in raws:
        seen = hash(bytes(raw))
        contract_id = known.get(seen)
        if contract_id is None:
            row = _readable(raw)
            if row is None:
                continue
            contract_id = row.contract_id
            new.append(row)
        ids.append(contract_id)
        prints.append(seen)
    return PageRows(tuple(ids), tuple(prints), tuple(new), len(raws) - len(ids))


def _raws(body: bytes) -> list[msgspec.Raw]:
    try:
        return _RAW.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        try:
            return _RAW.decode(_ESCAPE.sub(lambda found: rb"\ufffd" if found[1] else found[0], body))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise UpstreamUnavailableError(f"unreadable list: {error}") from error


def _readable(raw: msgspec.Raw) -> PublicContract | None:
    """The row, or None for one that is no contract or fits no column."""
    try:
        row = _ROW.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        log.warning("row rejected", error=str(error))
        return None
    if not storable(row):
        log.warning("row rejected", error="an amount that no column holds", contract_id=row.contract_id)
        return None
    return row
