import asyncio

from cli.api_client import ApiClient
from cli.console import Console
from cli.errors import StackError
from cli.market import watch_market_load
from cli.session import running_stack, stop_on_signals
from cli.stack import Stack
from cli.summary import served

STALLED_SECONDS = 15.0
"""How long `up` watches a market that does not load before it says where everything is all the same."""


async def up(stack: Stack, console: Console) -> int:
    """Run the stack until Ctrl-C or SIGTERM; returns the exit status."""
    stop_on_signals()
    try:
        async with running_stack(stack, console) as supervisor, ApiClient(stack.settings.api_url) as api:
            loading = asyncio.create_task(_show_load(stack, api, console))
            try:
                await supervisor.serve()
            finally:
                loading.cancel()
    except asyncio.CancelledError:
        return 0
    return 1


async def _show_load(stack: Stack, api: ApiClient, console: Console) -> None:
    from cli.admission import local_key  # SQLAlchemy: no part has to wait with its start until that is loaded

    key = await local_key(stack)
    state = await watch_market_load(api, console, stalled=STALLED_SECONDS)
    console.note(f"{state}: loaded" if state else f"the market does not load yet: {await _what_is_missing(api)}")
    console.say("\nFreeport serves:")
    for line in served(stack, key):
        console.say(line)
    console.say("Ctrl-C stops it.\n")
    if state is None:
        console.note(f"{await watch_market_load(api, console)}: loaded")


async def _what_is_missing(api: ApiClient) -> str:
    try:
        is_ready, answer = await api.readiness()
    except StackError as error:
        return str(error)
    if is_ready:
        return "nothing is missing; see the logs"
    return str(answer.get("detail", answer) if isinstance(answer, dict) else answer)
