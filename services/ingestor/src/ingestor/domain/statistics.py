"""What was asked for a type, out of the contracts that offered nothing else."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Article:
    """What has a price of its own: a type, and copies of one blueprint only if they are equal."""

    type_id: int
    is_blueprint_copy: bool = False
    material_efficiency: int | None = None
    time_efficiency: int | None = None
    runs: int | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """A contract that asked `price` ISK for `units` of one article, at least one."""

    article: Article
    price: Decimal
    units: int
    accepted: bool


@dataclass(frozen=True, slots=True)
class Statistic:
    """What was asked for one of `article`, in ISK to the cent."""

    article: Article
    contracts: int
    accepted: int
    lowest: Decimal
    p10: Decimal
    median: Decimal
    p90: Decimal


def statistics(offers: Iterable[Offer]) -> list[Statistic]:
    """One for each article, in the order in which they first occur; each contract counts once, however much it offers.

    Between two prices a quantile is interpolated, as PostgreSQL's percentile_cont does, but without its rounding.
    """
    by_article: dict[Article, list[Offer]] = defaultdict(list)
    for offer in offers:
        by_article[offer.article].append(offer)
    return [_statistic(article, of_it) for article, of_it in by_article.items()]


def _statistic(article: Article, offers: Sequence[Offer]) -> Statistic:
    prices = sorted(Fraction(offer.price) / offer.units for offer in offers)
    return Statistic(
        article=article,
        contracts=len(offers),
        accepted=sum(offer.accepted for offer in offers),
        lowest=_cents(prices[0]),
        p10=_cents(_quantile(prices, Fraction(1, 10))),
        median=_cents(_quantile(prices, Fraction(1, 2))),
        p90=_cents(_quantile(prices, Fraction(9, 10))),
    )


def _quantile(ordered: Sequence[Fraction], part: Fraction) -> Fraction:
    place = part * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _cents(amount: Fraction) -> Decimal:
    return Decimal(round(amount * 100)).scaleb(-2)
