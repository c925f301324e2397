import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from cli.checking import require_settings
from cli.child_logs import ChildLogs, put_aside
from cli.console import Console
from cli.contact import require_contact
from cli.home import locked
from cli.ports import require_free
from cli.settings import inherited_environment
from cli.stack import Stack, logs_of
from cli.supervisor import Supervisor


@asynccontextmanager
async def running_stack(stack: Stack, console: Console) -> AsyncIterator[Supervisor]:
    """The local stack, started and ready; stopped on leaving, whatever the reason.

    Raises StackError, before anything runs, if the settings, the user agent, the directory or the ports will not do.
    """
    if stack.reads_tranquility:
        require_contact(stack.user_agent)
    table = stack.table(inherited_environment())
    require_settings(table)
    logs = logs_of(stack.settings)
    with locked(stack.settings.home) as was_killed:
        require_free(stack.ports(), patience=5 if was_killed else 0)
        names = [process.name for process in table]
        put_aside(logs, names)
        console.note(f"starting {', '.join(names)}; logs in {logs}")
        async with Supervisor(table, logs, say=console.note) as supervisor:
            await supervisor.start()
            following = asyncio.create_task(ChildLogs(logs, names, say=console.note).follow())
            try:
                yield supervisor
            finally:
                following.cancel()
                with suppress(asyncio.CancelledError):
                    await following
                console.note("stopping")


def stop_on_signals() -> None:
    """Let Ctrl-C, SIGTERM and a closed terminal cancel the current task; a second one cuts the clean stop short."""
    task = asyncio.current_task()
    assert task is not None, "call this inside the task to cancel"
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup asked to go on
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
