"""What was asked for a type, held to the standard library's own quantiles."""

import random
from collections import defaultdict
from decimal import Decimal
from fractions import Fraction
from statistics import median, quantiles

from hypothesis import given, settings
from hypothesis import strategies as st

from ingestor.domain.statistics import Article, Offer, statistics

RIFTER, COPY = Article(587), Article(691, True, 10, 20, 5)  # noqa: FBT003 - a copy

articles = st.builds(
    Article, st.integers(1, 2), st.booleans(), st.none() | st.integers(0, 1), st.none(), st.none() | st.integers(1, 2)
)
prices = st.decimals(min_value="0.01", max_value=10**18 - 1, places=2)
offers = st.builds(Offer, articles, prices, st.integers(1, 10**9), st.booleans())


def cents(amount: Fraction) -> Decimal:
    return Decimal(round(amount * 100)) / 100


@settings(max_examples=40)
@given(st.lists(offers, max_size=20))
def test_statistics_are_what_brute_force_says(made: list[Offer]) -> None:
    by_article: dict[Article, list[Offer]] = defaultdict(list)
    for offer in made:
        by_article[offer.article].append(offer)

    found = {statistic.article: statistic for statistic in statistics(made)}

    assert set(found) == set(by_article)
    for article, of_it in by_article.items():
        asked = [Fraction(offer.price) / offer.units for offer in of_it]
        tenths = quantiles(asked, n=10, method="inclusive") if len(asked) > 1 else asked * 9
        statistic = found[article]
        assert statistic.contracts == len(of_it)
        assert statistic.accepted == len([offer for offer in of_it if offer.accepted])
        assert (statistic.lowest, statistic.median) == (cents(min(asked)), cents(median(asked)))
        assert (statistic.p10, statistic.p90) == (cents(tenths[0]), cents(tenths[8]))
        assert statistic.lowest <= statistic.p10 <= statistic.median <= statistic.p90


@settings(max_examples=40)
@given(st.lists(offers, max_size=20), st.randoms(use_true_random=False))
def test_the_order_of_contracts_means_nothing(made: list[Offer], luck: random.Random) -> None:
    shuffled = luck.sample(made, len(made))

    assert set(statistics(shuffled)) == set(statistics(made))


def test_a_contract_counts_once_however_many_it_offers() -> None:
    offers = [Offer(RIFTER, Decimal(300), 1, accepted=True), Offer(RIFTER, Decimal(1000), 10, accepted=False)]

    (statistic,) = statistics(offers)

    assert (statistic.contracts, statistic.accepted) == (2, 1)
    assert (statistic.lowest, statistic.median) == (Decimal(100), Decimal(200))


def test_unlike_copies_of_a_blueprint_are_unlike_articles() -> None:
    better = Article(691, True, 10, 20, 10)  # noqa: FBT003 - a copy
    offers = [Offer(COPY, Decimal(5), 1, accepted=False), Offer(better, Decimal(10), 1, accepted=False)]

    assert [statistic.median for statistic in statistics(offers)] == [Decimal(5), Decimal(10)]
