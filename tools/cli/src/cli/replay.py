from collections.abc import Mapping
from typing import Any

from cli.api_client import ApiClient
from common.keys.tokens import Token


async def replay(url: str, key: Token | None, scope: Mapping[str, int], *, force: bool) -> int:
    """Ask the API at `url` to replay items, and say where the run is followed. Returns the exit status.

    Raises StackError with the API's own words when it refuses, or when it does not answer.
    """
    command: dict[str, Any] = {"dataset": "items", "scope": dict(scope), "force": force}
    async with ApiClient(url, key) as api:
        location = await api.ingest(command)
    print(f"accepted: {url.rstrip('/')}{location}")
    return 0
