"""How much one client address may ask: a bucket of tokens for each, refilled at a steady rate."""

import math
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MOST_ADDRESSES = 20_000
"""Addresses that are remembered, about 4 MB; whoever was silent the longest is forgotten first, and starts full."""
IPV6_PREFIX = 64
"""What one subscriber is given (RFC 6177): behind it the addresses are theirs to choose."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a bucket says to a request: `wait` is 0 if it may pass, else the seconds until one would.

    `remaining` more may pass within `window` seconds: until the bucket is full; of an empty one, until the next may.
    """

    remaining: int
    window: float
    wait: float


class Buckets:
    """One bucket for each name, of `burst` tokens, into which `rate` tokens a second flow."""

    def __init__(self, rate: float, burst: int, *, most: int = MOST_ADDRESSES) -> None:
        self._interval = 1 / rate
        self._depth = burst / rate
        self._most = most
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, name: str, *, at: float) -> Grant:
        """Take a token from the bucket of `name`, if there is one; `at` is any steady clock's time in seconds."""
        full_at = max(self._full_at.get(name, at), at)
        wait = full_at + self._interval - at - self._depth
        if wait > 1e-9:  # noqa: PLR2004 - below that it is the arithmetic's rounding
            return Grant(0, wait, wait)
        full_at += self._interval
        self._full_at[name] = full_at
        self._full_at.move_to_end(name)
        if len(self._full_at) > self._most:
            self._full_at.popitem(last=False)
        remaining = math.floor((at + self._depth - full_at) / self._interval + 1e-6)
        return Grant(remaining, full_at - at if remaining else wait + self._interval, 0)


class Clients:
    """Tells who asks, by addresses: also behind proxies that are trusted to say whom they speak for."""

    def __init__(self, *, proxies: Sequence[Network], exempt: Sequence[Network]) -> None:
        self._proxies = proxies
        self._exempt = exempt
        self.name = lru_cache(maxsize=4096)(self._name)

    def _name(self, peer: str, forwarded_for: str) -> str | None:
        """The name of the client's bucket, None if it is exempt. Of X-Forwarded-For only what proxies added counts."""
        client = parsed(peer)
        if client is None:
            return None
        for hop in reversed(forwarded_for.split(",")):
            if not _within(client, self._proxies):
                break
            before = parsed(hop)
            if before is None:
                break
            client = before
        if _within(client, self._exempt):
            return None
        return str(ip_network((client, IPV6_PREFIX), strict=False)) if client.version == 6 else str(client)  # noqa: PLR2004 - IPv6


def parsed(text: str) -> Address | None:
    """The address in `text`, which may have a port; an IPv4 one in IPv6's clothes is taken for what it is."""
    bare = text.strip()
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)
