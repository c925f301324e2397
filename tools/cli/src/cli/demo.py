import asyncio
from collections.abc import Mapping
from typing import Any

from cli.api_client import ApiClient
from cli.console import Console
from cli.errors import StackError
from cli.market import watch_market_load
from cli.session import running_stack, stop_on_signals
from cli.stack import Stack
from cli.summary import as_table, served
from cli.supervisor import Supervisor
from common.keys.tokens import Token

THE_FORGE = 10000002
LOAD_SECONDS = 120.0
LIVE_LOAD_SECONDS = 3600.0
RUN_SECONDS = 120.0
INTERRUPTED = 130

COLUMNS = {
    "contract_id": "contract",
    "contract_type": "type",
    "label": "what",
    "price": "ISK",
    "volume": "m³",
    "place": "where",
    "date_expired": "until",
}


async def demo(stack: Stack, console: Console) -> int:
    """Start the stack, load the market, run one ingest by the REST API, show the market, stop.

    Returns the exit status. Raises StackError naming what did not work.
    """
    stop_on_signals()
    try:
        async with running_stack(stack, console) as supervisor:
            serving = asyncio.create_task(supervisor.serve())
            try:
                from cli.admission import local_key  # SQLAlchemy: no part has to wait until that is loaded

                key = await local_key(stack)
                async with ApiClient(stack.settings.api_url, key) as api:
                    await _show(stack, supervisor, api, console, key)
            finally:
                serving.cancel()
    except asyncio.CancelledError:
        return INTERRUPTED
    return 0


async def _show(stack: Stack, supervisor: Supervisor, api: ApiClient, console: Console, key: Token) -> None:
    ready_at = console.elapsed()
    console.note("all parts run; the market loads")
    within = LIVE_LOAD_SECONDS if stack.reads_tranquility else LOAD_SECONDS
    state = await watch_market_load(api, console, within=within)
    if state is None:
        raise StackError(f"the market did not load in {within:.0f} s: {await api.stats()}")
    loaded_at = console.elapsed()
    console.note(f"{state}: loaded")
    run = await _ingest(api, console)
    ran_for = console.elapsed() - loaded_at
    await _show_contracts(api, console)
    console.say("\nServed while it runs:")
    for line in served(stack, key):
        console.say(line)
    console.say("\nTimings:")
    for name, seconds in supervisor.took.items():
        console.say(f"  {name:<16} ready {seconds:6.2f} s after its start")
    console.say(f"  {'stack':<16} ready {ready_at:6.2f} s after the command")
    console.say(f"  {'market':<16} loaded in {loaded_at - ready_at:.2f} s, {loaded_at:.2f} s after the command")
    console.say(f"  {'run':<16} {run.get('state')} in {ran_for:.2f} s\n")
    if run.get("state") != "succeeded":
        raise StackError(f"the run ended as {run.get('state')}: {run}")


async def _ingest(api: ApiClient, console: Console) -> Mapping[str, Any]:
    command = {"dataset": "contracts", "scope": {"region_id": THE_FORGE}, "force": True}
    location = await api.ingest(command)
    console.note(f"asked for an ingest of The Forge: {location}")
    run = await api.finished_run(location, RUN_SECONDS)
    counts = run.get("counts") or {}
    shown = ", ".join(f"{name} {count:,}" for name, count in counts.items() if isinstance(count, int))
    console.note(f"the run {run.get('state')}: {shown}")
    return run


async def _show_contracts(api: ApiClient, console: Console) -> None:
    rows = [_shown(contract) for contract in await api.contracts(THE_FORGE, limit=10)]
    if not rows:
        raise StackError("The Forge has no contracts")
    console.say()
    for line in as_table(rows, COLUMNS):
        console.say(f"  {line}")


def _shown(contract: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        **contract,
        "label": contract.get("label") or contract.get("title"),
        "price": _number(contract.get("price")),
        "volume": _number(contract.get("volume")),
        "place": contract.get("start_location_name") or contract.get("system_name") or contract.get("region_name"),
        "date_expired": str(contract.get("date_expired"))[:16].replace("T", " "),
    }


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
