"""Which bids can be stored, and in which order they came."""

from collections.abc import Iterable

from ingestor.domain.listing import FINEST_EXPONENT, LARGEST_AMOUNT
from ingestor.esi.models import PublicBid


def in_order(bids: Iterable[PublicBid]) -> list[PublicBid]:
    """Each bid once, the earliest first; one whose amount fits no column is left out."""
    each = {bid.bid_id: bid for bid in bids if _fits(bid)}
    return sorted(each.values(), key=lambda bid: (bid.date_bid, bid.bid_id))


def _fits(bid: PublicBid) -> bool:
    exponent = bid.amount.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= FINEST_EXPONENT and 0 <= bid.amount <= LARGEST_AMOUNT
