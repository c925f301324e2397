"""Hooks: files dropped into a service's `middleware/`, `startup/` or `shutdown/` folder, run in a declared order.

A hook file defines the function of its folder, sync or async, taking the application or nothing:

- `middleware/`: `register_middleware(app)`
- `startup/`: `startup_hook(app)`
- `shutdown/`: `shutdown_hook(app)`; one named like a startup hook releases what that one acquired.

The order is a numeric file prefix (`10_tracing.py`) or a constant `ORDER` in the file; without either 1000, then by
name.
`OPTIONAL = True` lets the service start without the hook when it fails.
"""

import importlib.util
import inspect
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from common import clock
from common.errors import FreeportError
from common.logs import get_logger

log = get_logger(__name__)

Phase = Literal["middleware", "startup", "shutdown"]
FUNCTIONS: dict[Phase, str] = {
    "middleware": "register_middleware",
    "startup": "startup_hook",
    "shutdown": "shutdown_hook",
}
DEFAULT_ORDER = 1000
_SAYS_OPTIONAL = re.compile(r"^OPTIONAL\s*(?::\s*\w+\s*)?=\s*True\b", re.MULTILINE)
_PREFIX = re.compile(r"^(\d+)_(.+)$")


class HookError(FreeportError):
    """A hook is broken; the message names its file and line."""


@dataclass(frozen=True, slots=True)
class Hook:
    """One file's function, and when it runs."""

    phase: Phase
    name: str
    order: int
    optional: bool
    path: Path
    function: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class HookRun:
    """What a hook did when it ran."""

    hook: Hook
    ran_at: datetime
    seconds: float
    error: str | None


class Hooks:
    """The hooks of one service, found below each of `roots`, and the record of their runs."""

    def __init__(self, *roots: Path) -> None:
        self.found: dict[Phase, list[Hook]] = {
            phase: in_order(hook for root in roots for hook in discover(root / phase, phase)) for phase in FUNCTIONS
        }
        self.runs: list[HookRun] = []
        self._started: list[Hook] = []

    async def register_middleware(self, app: Any) -> None:
        """Let every middleware hook add itself, in order: as the framework has it, the last is the outermost."""
        for hook in self.found["middleware"]:
            await self._run(hook, app)

    async def start(self, app: Any) -> None:
        """Run the startup hooks in order. If one fails, what the earlier ones acquired is released first."""
        try:
            for hook in self.found["startup"]:
                if await self._run(hook, app):
                    self._started.append(hook)
        except BaseException:
            await self.stop(app)
            raise

    async def stop(self, app: Any) -> None:
        """Run the shutdown hooks in the reverse order of the start; one that fails does not keep the others from it."""
        started = [hook.name for hook in self._started]
        known = {hook.name for hook in self.found["startup"]}
        due = [hook for hook in self.found["shutdown"] if hook.name not in known or hook.name in started]
        due.sort(key=lambda hook: (started.index(hook.name) if hook.name in started else len(started), hook.order))
        self._started.clear()
        for hook in reversed(due):
            try:
                await self._run(hook, app)
            except HookError:
                log.exception("shutdown hook failed", hook=hook.name)

    async def _run(self, hook: Hook, app: Any) -> bool:
        ran_at, begun = clock.now(), time.perf_counter()
        error: Exception | None = None
        try:
            await _call(hook.function, app)
        except Exception as raised:  # noqa: BLE001 - whatever a dropped-in file raises is judged below
            error = raised
        fault = None if error is None else _place(hook.path, error)
        self.runs.append(HookRun(hook, ran_at, time.perf_counter() - begun, fault))
        if error is None:
            return True
        if not hook.optional:
            raise HookError(fault) from error
        log.warning("optional hook failed", hook=hook.name, error=fault)
        return False


def discover(folder: Path, phase: Phase) -> list[Hook]:
    """The hooks in `folder`, in the order in which they run. Raises `HookError` for a file that is none."""
    files = sorted(path for path in folder.glob("*.py") if not path.name.startswith("_")) if folder.is_dir() else []
    return in_order(_load(path, phase) for path in files)


def in_order(hooks: Iterable[Hook]) -> list[Hook]:
    """The declared order, then by name; never the file system's."""
    return sorted(hooks, key=lambda hook: (hook.order, hook.name))


def describe(runs: Sequence[HookRun]) -> list[dict[str, Any]]:
    """The record as plain values: phase, name, order, when, how long, and what went wrong."""
    return [
        {
            "phase": run.hook.phase,
            "name": run.hook.name,
            "order": run.hook.order,
            "optional": run.hook.optional,
            "ran_at": run.ran_at,
            "seconds": run.seconds,
            "error": run.error,
        }
        for run in runs
    ]


def _load(path: Path, phase: Phase) -> Hook:
    prefix = _PREFIX.match(path.stem)
    name = prefix.group(2) if prefix else path.stem
    try:
        module = _import(path, f"freeport_hooks.{phase}.{path.stem}")
    except Exception as error:  # noqa: BLE001 - whatever a dropped-in file raises is judged below
        return _broken(phase, name, path, HookError(_place(path, error)))
    function = getattr(module, FUNCTIONS[phase], None)
    order = int(prefix.group(1)) if prefix else getattr(module, "ORDER", DEFAULT_ORDER)
    if not callable(function):
        fault = f"{path}:1: a file in {phase}/ defines the function {FUNCTIONS[phase]}; this one does not"
        return _broken(phase, name, path, HookError(fault))
    if not isinstance(order, int):
        return _broken(phase, name, path, HookError(f"{path}:1: ORDER is a whole number, not {order!r}"))
    return Hook(phase, name, order, bool(getattr(module, "OPTIONAL", False)), path, function)


def _broken(phase: Phase, name: str, path: Path, fault: HookError) -> Hook:
    """A hook that fails when its turn comes, if its text says that the service can do without; else the error."""
    if not _SAYS_OPTIONAL.search(path.read_text(encoding="utf-8", errors="replace")):
        raise fault

    def fail() -> None:
        raise fault

    prefix = _PREFIX.match(path.stem)
    return Hook(phase, name, int(prefix.group(1)) if prefix else DEFAULT_ORDER, True, path, fail)  # noqa: FBT003


def _import(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look a class's module up there
    spec.loader.exec_module(module)
    return module


async def _call(function: Callable[..., Any], app: Any) -> None:
    takes_app = bool(inspect.signature(function).parameters)
    result = function(app) if takes_app else function()
    if inspect.isawaitable(result):
        await result


def _place(path: Path, error: BaseException) -> str:
    """Where in the hook's own file the error arose, and what it was."""
    if isinstance(error, HookError):
        return str(error)
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}: SyntaxError: {error.msg}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == path]
    line = frames[-1].lineno if frames else 1
    return f"{path}:{line}: {type(error).__name__}: {' '.join(str(error).split())}"
