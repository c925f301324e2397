import asyncio
import signal
import subprocess
import sys

import pytest

from common.service import together

SERVE = """
import asyncio
from common import service
from common.errors import FreeportError
from common.settings import DatabaseSettings, read_settings
async def serve():
    {body}
service.run(serve)
"""
ENVIRONMENT = {"PATH": "/usr/bin:/bin"}


def command(body: str) -> list[str]:
    return [sys.executable, "-c", SERVE.format(body=body)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_service_after_its_clean_up_with_success(number: signal.Signals) -> None:
    body = "print('up', flush=True)\n    try: await asyncio.sleep(60)\n    finally: print('cleaned')"
    process = await asyncio.create_subprocess_exec(*command(body), stdout=subprocess.PIPE, env=ENVIRONMENT)
    assert process.stdout is not None
    await process.stdout.readline()

    process.send_signal(number)
    said, _ = await process.communicate()

    assert process.returncode == 0
    assert b"cleaned" in said


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        ("raise FreeportError('the broker is gone')", 1, "the broker is gone\n"),
        ("raise RuntimeError('a bug')", 1, "RuntimeError: a bug\n"),
        ("read_settings(DatabaseSettings)", 2, "DATABASE_URL: is not set. "),
        ("pass", 0, ""),
    ],
)
def test_the_exit_status_says_what_happened(body: str, code: int, says: str) -> None:
    done = subprocess.run(command(body), capture_output=True, text=True, check=False, env=ENVIRONMENT)

    assert done.returncode == code
    assert says in done.stderr
    assert ("Traceback" in done.stderr) == ("RuntimeError" in says)


async def test_the_first_task_to_fail_ends_the_others_after_their_clean_up() -> None:
    cleaned: list[str] = []

    async def live(name: str) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            cleaned.append(name)

    async def fail() -> None:
        await asyncio.sleep(0.01)
        raise RuntimeError("one of three")

    with pytest.raises(RuntimeError, match="one of three"):
        await together(live("a"), fail(), live("b"))

    assert sorted(cleaned) == ["a", "b"]
