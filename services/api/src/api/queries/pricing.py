"""What a line of a contract is worth and looks like, as SQL over `contract_items i` and what it refers to.

The rules are those by which the ingestor values contracts (`ingestor/domain/valuation.py` and `summary.py` beside it);
a test holds both to the same numbers.
"""

SHIP, BLUEPRINT, RELIC, SKIN = 6, 9, 34, 91
"""Categories of the Static Data Export."""
ABYSSAL, MUTAPLASMIDS = 15, 1964
"""The meta group of what a mutaplasmid makes, and the group of mutaplasmids, which are of it too but alike."""
LARGEST_VALUE = "999999999999999999.99"
"""ISK; anything above it comes to this."""

IS_COPY = "(i.is_blueprint_copy IS TRUE OR (i.runs >= 0) IS TRUE)"
"""An original has no flag, or it is false; and no runs, or -1."""

IS_ABYSSAL = f"(t.meta_group_id = {ABYSSAL} AND t.group_id <> {MUTAPLASMIDS} AND g.category_id <> {BLUEPRINT}) IS TRUE"
"""Each piece of it has attributes of its own."""

SELL, AVERAGE = "coalesce(p.sell, p.average)", "coalesce(p.average, p.sell)"
"""Of sell price and average one stands in for the other."""

UNPRICED = f"""
CASE WHEN {IS_COPY} THEN 'blueprint_copy' WHEN {IS_ABYSSAL} THEN 'abyssal' WHEN i.quantity <= 0 THEN 'no_quantity'
     WHEN {SELL} IS NULL THEN 'no_price' END
"""
"""Why a line is no part of the value; null of one that is."""

IMAGE = f"""
'https://images.evetech.net/types/' || i.type_id || CASE
    WHEN g.category_id = {SHIP} THEN '/render' WHEN {IS_COPY} THEN '/bpc' WHEN g.category_id = {BLUEPRINT} THEN '/bp'
    WHEN g.category_id = {RELIC} THEN '/relic' ELSE '/icon' END
"""
"""The picture of a line: a ship as it flies, a blueprint as original or copy. Source: CCP's image server."""

OF_TYPES = """
LEFT JOIN types t ON t.type_id = i.type_id
LEFT JOIN groups g ON g.group_id = t.group_id
LEFT JOIN categories k ON k.category_id = g.category_id
LEFT JOIN prices p ON p.type_id = i.type_id
"""


def total(price: str) -> str:
    """What all pieces of a line cost at `price`, an expression. Not by `least`, which would make the most of null."""
    amount = f"i.quantity * {price}"
    return f"CASE WHEN {amount} > {LARGEST_VALUE} THEN {LARGEST_VALUE} ELSE {amount} END"
