from pathlib import Path
from typing import Any

import pytest

from common.hooks import HookError
from support.served_api import NOWHERE, api_settings, hook_folder, served

NO_DATABASE = f"postgresql://freeport@{NOWHERE}/freeport"

SEED_FORM = """
import asyncio

class Signed:
    def __init__(self, app, word):
        self.app, self.word = app, word

    async def __call__(self, scope, receive, send):
        async def signed(message):
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (b"x-signed", self.word)]}
            await send(message)

        await self.app(scope, receive, signed)

async def register_middleware(app):
    await asyncio.sleep(0)
    app.add_middleware(Signed, word=b"WORD")
"""
NOTE = """
from pathlib import Path

async def PHASE_hook():
    with Path("JOURNAL").open("a") as journal:
        journal.write("PHASE NAME\\n")
"""
FAILING = "def startup_hook(app):\n    app.state.parts\n    raise ValueError('no\\nway')\n"


def noting(journal: Path, phase: str, name: str) -> str:
    return NOTE.replace("PHASE", phase).replace("NAME", name).replace("JOURNAL", str(journal))


async def test_an_async_middleware_that_is_dropped_in_really_runs(tmp_path: Path, database_url: str) -> None:
    hooks = hook_folder(tmp_path, middleware__signed=SEED_FORM)

    async with served(api_settings(database_url, api_hooks=hooks)) as api:
        reply = await api.get("/health")
        shown = (await api.get("/api/v1/system/hooks", shows_key=True)).content["items"]

    assert reply.headers["X-Signed"] == "WORD"
    shown = [hook for hook in shown if hook["phase"] == "middleware"]
    names = [hook["name"] for hook in shown]
    assert names == ["caching", "limiting", "measuring", "body_limit", "paths", "signed", "failures", "cors", "tracing"]
    assert all(hook["ran_at"] and hook["seconds"] >= 0 and hook["error"] is None for hook in shown)


async def test_the_order_is_the_declared_one_and_the_last_is_the_outermost(tmp_path: Path) -> None:
    hooks = hook_folder(
        tmp_path,
        middleware__aaa="ORDER = 500\n" + SEED_FORM.replace("WORD", "last"),
        middleware__7_zzz=SEED_FORM.replace("WORD", "first"),
    )

    async with served(api_settings(NO_DATABASE, api_hooks=hooks)) as api:
        reply: Any = await api.get("/health")

    assert reply.headers.getall("X-Signed") == ["first", "last"]


async def test_what_is_started_last_is_stopped_first(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    hooks = hook_folder(
        tmp_path,
        startup__b_pool=noting(journal, "startup", "pool"),
        startup__a_cache=noting(journal, "startup", "cache"),
        shutdown__a_cache=noting(journal, "shutdown", "cache"),
        shutdown__b_pool=noting(journal, "shutdown", "pool"),
    )

    async with served(api_settings(NO_DATABASE, api_hooks=hooks)):
        assert journal.read_text().splitlines() == ["startup cache", "startup pool"]

    assert journal.read_text().splitlines()[2:] == ["shutdown pool", "shutdown cache"]


async def test_a_start_that_fails_releases_what_was_acquired(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    hooks = hook_folder(
        tmp_path,
        startup__10_pool=noting(journal, "startup", "pool"),
        startup__20_failing=FAILING,
        startup__30_never=noting(journal, "startup", "never"),
        shutdown__pool=noting(journal, "shutdown", "pool"),
        shutdown__never=noting(journal, "shutdown", "never"),
    )

    with pytest.raises(HookError) as raised:
        async with served(api_settings(NO_DATABASE, api_hooks=hooks)):
            pass

    assert str(raised.value) == f"{hooks}/startup/20_failing.py:3: ValueError: no way"
    assert journal.read_text().splitlines() == ["startup pool", "shutdown pool"]


async def test_an_optional_hook_may_fail(tmp_path: Path, database_url: str) -> None:
    hooks = hook_folder(tmp_path, startup__failing="OPTIONAL = True\n" + FAILING)

    async with served(api_settings(database_url, api_hooks=hooks)) as api:
        shown = (await api.get("/api/v1/system/hooks", shows_key=True)).content["items"]

    failed = next(hook for hook in shown if hook["name"] == "failing")
    assert failed["error"].endswith("failing.py:4: ValueError: no way")


@pytest.mark.parametrize(
    ("source", "line", "complaint"),
    [
        ("import wares_that_do_not_exist\n", 1, "ModuleNotFoundError"),
        ("\n\ndef register_middleware(app:\n", 3, "SyntaxError"),
        ("x = 1\n", 1, "defines the function register_middleware"),
        ("def register_middleware(app):\n    app.no_such_thing()\n", 2, "AttributeError"),
    ],
)
async def test_a_broken_hook_names_its_file_and_line(tmp_path: Path, source: str, line: int, complaint: str) -> None:
    hooks = hook_folder(tmp_path, middleware__broken=source)

    with pytest.raises(HookError) as raised:
        async with served(api_settings(NO_DATABASE, api_hooks=hooks)):
            pass

    assert str(raised.value).startswith(f"{hooks}/middleware/broken.py:{line}: ")
    assert complaint in str(raised.value)
