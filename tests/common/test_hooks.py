from collections.abc import Callable
from pathlib import Path

import pytest

from common.hooks import HookError, Hooks, describe

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Drop a file in; returns its path."""

    def write(place: str, source: str) -> Path:
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
        return path

    return write


def noting(phase: str, note: str, *, before: str = "") -> str:
    name = "startup_hook" if phase == "startup" else "shutdown_hook"
    return f"{before}\ndef {name}(app):\n    app.append({note!r})\n"


async def test_hooks_run_by_prefix_then_by_order_then_by_name(write: Write, tmp_path: Path) -> None:
    write("startup/zebra.py", noting("startup", "zebra"))
    write("startup/ant.py", noting("startup", "ant"))
    write("startup/20_second.py", noting("startup", "second", before="ORDER = 1"))
    write("startup/3_first.py", noting("startup", "first"))
    write("startup/between.py", noting("startup", "between", before="ORDER = 500"))
    write("startup/_private.py", "raise RuntimeError")
    app: list[str] = []

    await Hooks(tmp_path).start(app)

    assert app == ["first", "second", "between", "ant", "zebra"]


async def test_a_hook_is_sync_or_async_and_takes_the_application_or_nothing(write: Write, tmp_path: Path) -> None:
    write("startup/1_a.py", "def startup_hook(app): app.append('sync')")
    write("startup/2_b.py", "async def startup_hook(app): app.append('async')")
    write("startup/3_c.py", "ran = []\ndef startup_hook(): ran.append(1)")
    write("startup/4_d.py", "ran = []\nasync def startup_hook(): ran.append(1)")
    write("middleware/x.py", "def register_middleware(app): app.append('middleware')")
    app: list[str] = []
    hooks = Hooks(tmp_path)

    await hooks.register_middleware(app)
    await hooks.start(app)

    assert app == ["middleware", "sync", "async"]
    assert [run["error"] for run in describe(hooks.runs)] == [None] * 5
    for hook in hooks.found["startup"][2:]:
        assert hook.function.__globals__["ran"] == [1]


@pytest.mark.parametrize(
    ("source", "line", "says"),
    [
        ("import os\nimport no_such_library\n", 2, "ModuleNotFoundError: No module named 'no_such_library'"),
        ("x = 1\ndef startup_hook(:\n", 2, "SyntaxError"),
        ("def hook(): ...\n", 1, "defines the function startup_hook"),
        ("startup_hook = 3\n", 1, "defines the function startup_hook"),
        ("ORDER = 'first'\ndef startup_hook(): ...\n", 1, "ORDER is a whole number"),
        ("def startup_hook():\n    x = 1\n    raise RuntimeError('broken\\nhere')\n", 3, "RuntimeError: broken here"),
        ("def startup_hook():\n    import json\n    json.loads('{')\n", 3, "JSONDecodeError"),
        ("def startup_hook(app, more): ...\n", 1, "TypeError"),
    ],
)
async def test_a_broken_hook_stops_the_start_and_names_its_file_and_line(
    source: str, line: int, says: str, write: Write, tmp_path: Path
) -> None:
    path = write("startup/broken.py", source)

    with pytest.raises(HookError) as stopped:
        await Hooks(tmp_path).start([])

    assert str(stopped.value).startswith(f"{path}:{line}: ")
    assert says in str(stopped.value)
    assert "\n" not in str(stopped.value)


@pytest.mark.parametrize(
    "source",
    [
        "OPTIONAL = True\nimport no_such_library\n",
        "import no_such_library\nOPTIONAL = True\n",
        "OPTIONAL: bool = True\ndef startup_hook(:\n",
        "OPTIONAL = True\ndef startup_hook(): raise RuntimeError\n",
        "OPTIONAL = True\n",
    ],
)
async def test_an_optional_hook_that_fails_lets_the_service_start_and_is_on_record(
    source: str, write: Write, tmp_path: Path
) -> None:
    path = write("startup/1_extra.py", source)
    write("startup/2_needed.py", noting("startup", "needed"))
    app: list[str] = []
    hooks = Hooks(tmp_path)

    await hooks.start(app)

    assert app == ["needed"]
    failed, needed = describe(hooks.runs)
    assert (failed["name"], failed["optional"], needed["error"]) == ("extra", True, None)
    assert failed["error"].startswith(f"{path}:")


async def test_a_failed_start_releases_what_was_acquired_and_nothing_else(write: Write, tmp_path: Path) -> None:
    for number, name in enumerate(("pool", "cache", "queue"), 1):
        write(f"startup/{number}_{name}.py", noting("startup", f"+{name}"))
        write(f"shutdown/{name}.py", noting("shutdown", f"-{name}"))
    write("startup/3_queue.py", "def startup_hook(app): raise RuntimeError('no queue')")
    app: list[str] = []

    with pytest.raises(HookError, match="no queue"):
        await Hooks(tmp_path).start(app)

    assert app == ["+pool", "+cache", "-cache", "-pool"]


async def test_shutdown_is_the_reverse_of_the_start_and_one_that_fails_keeps_no_other_from_it(
    write: Write, tmp_path: Path
) -> None:
    for number, name in enumerate(("pool", "cache", "queue"), 1):
        write(f"startup/{number}_{name}.py", noting("startup", f"+{name}"))
        write(f"shutdown/{name}.py", noting("shutdown", f"-{name}"))
    write("shutdown/cache.py", "def shutdown_hook(app):\n    app.append('!cache')\n    raise RuntimeError\n")
    app: list[str] = []
    hooks = Hooks(tmp_path)
    await hooks.start(app)
    app.clear()

    await hooks.stop(app)
    await hooks.stop([])

    assert app == ["-queue", "!cache", "-pool"]
    ran = [(run["phase"], run["name"], run["error"] is None) for run in describe(hooks.runs)]
    assert ran == [
        ("startup", "pool", True),
        ("startup", "cache", True),
        ("startup", "queue", True),
        ("shutdown", "queue", True),
        ("shutdown", "cache", False),
        ("shutdown", "pool", True),
    ]
    assert all(run["seconds"] >= 0 and run["ran_at"].tzinfo for run in describe(hooks.runs))


def test_a_service_without_hook_folders_has_none(tmp_path: Path) -> None:
    assert not any(Hooks(tmp_path).found.values())
