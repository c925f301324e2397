"""What an api knows of the market's version, and how often it answered from memory."""

import asyncio
import re

from support.served_api import ServedApi

LIST = "/api/v1/contracts"


async def heard(api: ServedApi) -> None:
    """Return once the api knows the version of the market, so that what it answers next is kept."""
    for _ in range(200):
        before = await kept(api)
        await api.get(LIST, params={"limit": 1})
        if (await kept(api))["unknown"] == before["unknown"]:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the api never heard the database")


async def kept(api: ServedApi) -> dict[str, float]:
    """How many answers came from where so far."""
    metrics = (await api.get("/metrics", shows_key=True)).body.decode()
    return {of: float(n) for of, n in re.findall(r'freeport_cache_answers_total\{outcome="(\w+)"\} (\S+)', metrics)}
