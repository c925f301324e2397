"""Contracts that are listed and have expired since: few at any time, whatever the size of the market."""

OVERDUE = """
(SELECT * FROM contracts WHERE delisted_at IS NULL AND date_expired <= now() ORDER BY date_expired OFFSET 0)
"""
"""In the order of the index that finds them, and apart from what is asked of them.

Most of what has expired is delisted. PostgreSQL does not know that, takes half of what is listed for overdue, and would
rather look at all of it: 40 ms instead of 0.2 with 46,000.
"""
