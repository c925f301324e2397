"""Where more of a contract `c` is to be seen, as SQL."""

_SHOWN = (
    "replace(replace(replace(coalesce(c.label, 'Contract ' || c.contract_id), '&', '&amp;'), '<', '&lt;'), '>', '&gt;')"
)

GAME = f"'<url=contract:' || c.system_id || '//' || c.contract_id || '>' || {_SHOWN} || '</url>'"
"""For the game's notepad and chat: a click opens the contract. Null where its system is not known."""
