"""What a request says of the copy that its client has, and of what it can read (RFC 9110)."""

import re

_TAG = re.compile(rb'(?:W/)?("[^"]*")')


def knows(if_none_match: bytes, *tags: bytes) -> bytes | None:
    """The first of `tags` that If-None-Match names, by weak comparison; the first of all for `*`; else None."""
    if if_none_match.strip() == b"*":
        return tags[0]
    named = set(_TAG.findall(if_none_match))
    return next((tag for tag in tags if tag in named), None)


def takes_gzip(accept_encoding: bytes) -> bool:
    """Whether Accept-Encoding takes gzip, by its name or by `*`, and does not rate it zero."""
    rated: dict[bytes, bool] = {}
    for part in accept_encoding.lower().split(b","):
        coding, _, rating = part.partition(b";")
        rated[coding.strip()] = _above_zero(rating)
    return rated.get(b"gzip", rated.get(b"*", False))


def _above_zero(rating: bytes) -> bool:
    name, _, value = rating.partition(b"=")
    if name.strip() != b"q":
        return True
    try:
        return float(value) > 0
    except ValueError:
        return False
