"""What contracts hold: kinds of bundles in the proportions of the live market."""

from bisect import bisect
from collections.abc import Callable, Iterator
from itertools import accumulate
from random import Random
from typing import Final, NamedTuple

from esi_simulator.market.catalogue import Catalogue, Ware
from esi_simulator.market.chance import one_of, popular


class Copy(NamedTuple):
    """What makes a blueprint's copy; originals carry their efficiencies too."""

    material_efficiency: int
    time_efficiency: int
    runs: int | None
    """None on an original."""


class Stack(NamedTuple):
    """One line of a contract. `wanted` lines are asked for, not offered."""

    ware: Ware
    quantity: int
    blueprint: Copy | None = None
    wanted: bool = False


class Bundle(NamedTuple):
    """All lines of a contract, what sort of bundle they are, and their worth in ISK."""

    kind: str
    stacks: tuple[Stack, ...]
    worth: float


def bundle(rng: Random, wares: Catalogue, kind: str | None = None) -> Bundle:
    """A bundle as the live market has them: half hold blueprint copies, 3 % a ship, 4 % ask for something.

    `kind` is one of `KINDS` where it shall not be left to luck.
    """
    if kind == HOARD:
        return hoard(rng, wares)
    if kind is None:
        kind = _KINDS[bisect(_CUMULATIVE, rng.random() * _CUMULATIVE[-1])]
    return _bundle(kind, _PACKERS[kind](rng, wares), rng)


def hoard(rng: Random, wares: Catalogue) -> Bundle:
    """Somebody's whole hangar: more lines than a page holds."""
    count = rng.randint(1010, 2400)
    return _bundle(HOARD, (_module(rng, wares) for _ in range(count)), rng)


def _bundle(kind: str, stacks: Iterator[Stack], rng: Random) -> Bundle:
    packed = tuple(stacks)
    worth = sum(_worth(stack) for stack in packed if not stack.wanted)
    return Bundle(kind, packed, _tamed(worth) * rng.lognormvariate(0.05, 0.3))


def _tamed(worth: float) -> float:
    """Draws from all types at once spread wider than what people offer: pull both tails in."""
    if worth > 1e8:  # noqa: PLR2004 - measured against the recorded deciles
        return float(1e8 * (worth / 1e8) ** 0.6)
    return float(1e6 * (worth / 1e6) ** 0.5) if worth < 1e6 else worth  # noqa: PLR2004 - likewise


def _worth(stack: Stack) -> float:
    """ISK. A copy goes for a few percent of the original per run, whatever the type's average price says."""
    if stack.blueprint is None or stack.blueprint.runs is None:
        return stack.ware.value * stack.quantity
    return stack.ware.value * (0.02 + 0.01 * stack.blueprint.runs) * stack.quantity


def _copies(rng: Random, wares: Catalogue) -> Iterator[Stack]:
    ware = popular(rng, wares.blueprints)
    count = _few(rng, 40)
    same = rng.random() < 0.6  # noqa: PLR2004 - most packs repeat one blueprint
    copy = _copy(rng)
    for _ in range(count):
        yield Stack(ware, 1, copy if same else _copy(rng))
        ware = ware if same else popular(rng, wares.blueprints)


def _originals(rng: Random, wares: Catalogue) -> Iterator[Stack]:
    pool = wares.formulas if rng.random() < 0.1 else wares.blueprints  # noqa: PLR2004 - reactions are rare
    for _ in range(_few(rng, 6)):
        researched = rng.randint(0, 10)
        yield Stack(popular(rng, pool), 1, Copy(researched, researched * 2, None))


def _ship(rng: Random, wares: Catalogue) -> Iterator[Stack]:
    yield Stack(popular(rng, wares.ships), 1)
    if rng.random() < 0.6:  # noqa: PLR2004 - fitted rather than packaged
        for _ in range(rng.randint(5, 28)):
            yield _module(rng, wares)
        yield Stack(popular(rng, wares.charges), rng.randint(1, 40) * 100)
        yield Stack(popular(rng, wares.drones), rng.randint(1, 10))


def _abyssals(rng: Random, wares: Catalogue) -> Iterator[Stack]:
    for _ in range(_few(rng, 15)):
        ware = popular(rng, wares.abyssals)
        yield Stack(ware._replace(value=rng.lognormvariate(17.5, 1.3)), 1)


def _modules(rng: Random, wares: Catalogue) -> Iterator[Stack]:
    for _ in range(_few(rng, 20)):
        yield _module(rng, wares)


def _module(rng: Random, wares: Catalogue) -> Stack:
    return Stack(popular(rng, wares.modules), one_of(rng, (1, 1, 1, 1, 2, 4, 8)))


def _looks(rng: Random, wares: Catalogue) -> Iterator[Stack]:
    for _ in range(_few(rng, 10)):
        yield Stack(popular(rng, wares.looks), 1)


def _training(rng: Random, wares: Catalogue) -> Iterator[Stack]:
    pool = one_of(rng, (wares.services, wares.implants, wares.implants, wares.skills))
    for _ in range(1 if pool is wares.services else _few(rng, 10)):
        yield Stack(popular(rng, pool), rng.randint(1, 20) if pool is wares.services else 1)


def _goods(rng: Random, wares: Catalogue) -> Iterator[Stack]:
    for _ in range(_few(rng, 8)):
        yield Stack(popular(rng, wares.materials), int(rng.lognormvariate(6, 2)) + 1)


def _mixture(rng: Random, wares: Catalogue) -> Iterator[Stack]:
    """A hangar cleared out: many lines of everything."""
    for _ in range(rng.randint(21, 70)):
        yield next(one_of(rng, (_modules, _looks, _goods, _copies, _training))(rng, wares))


def _wanted(rng: Random, wares: Catalogue) -> Iterator[Stack]:
    """Want to buy; now and then something is given in exchange."""
    source = one_of(rng, (_modules, _goods, _training, _abyssals, _ship))(rng, wares)
    for stack, _ in zip(source, range(8), strict=False):
        yield stack._replace(wanted=True)
    if rng.random() < 0.25:  # noqa: PLR2004 - most pay in ISK alone
        yield _module(rng, wares)


def _copy(rng: Random) -> Copy:
    researched = one_of(rng, (0, 2, 5, 8, 10, 10, 10))
    return Copy(researched, researched * 2, one_of(rng, (1, 1, 1, 3, 5, 10, 20, 40, 300)))


def _few(rng: Random, most: int) -> int:
    """One mostly; as many as `most` seldom."""
    return min(most, int(rng.paretovariate(1.1)))


HOARD: Final = "hoard"
Packer = Callable[[Random, Catalogue], Iterator[Stack]]

_PACKERS: Final[dict[str, Packer]] = {
    "copies": _copies,
    "originals": _originals,
    "ship": _ship,
    "abyssals": _abyssals,
    "modules": _modules,
    "looks": _looks,
    "training": _training,
    "goods": _goods,
    "mixture": _mixture,
    "wanted": _wanted,
}
_WEIGHTS: Final = {
    "copies": 46,
    "originals": 4,
    "ship": 3,
    "abyssals": 10,
    "modules": 13,
    "looks": 6,
    "training": 7,
    "goods": 4,
    "mixture": 3,
    "wanted": 4,
}
"""Percent of contracts; with the mixtures, copies are in 49 %."""
_KINDS: Final = tuple(_WEIGHTS)
KINDS: Final = frozenset({*_KINDS, HOARD})
_CUMULATIVE: Final = tuple(accumulate(_WEIGHTS.values()))
