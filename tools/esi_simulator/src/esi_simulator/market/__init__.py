"""The simulated market: what there is, as a pure function of a seed and an instant. No clock, no HTTP, no state.

Read in this order: `schedule` (when contracts are born and die), `contents` (what they hold), `contracts` and `region`
(the rows that ESI shows), `recorded` (the real ones of Domain), `market` (all regions together); beside them `rolls`
(abyssal items) and `orders` (the regional market, which has nothing to do with contracts).
"""
