"""The `freeport` command: start here."""

import argparse
import asyncio
import subprocess
import sys
from collections.abc import Sequence

from pydantic import SecretStr

from cli.errors import StackError, WrongSettingsError
from cli.home import clean, holder
from cli.local_key import kept_key
from cli.settings import StackSettings
from common.keys import arguments as keys
from common.keys.tokens import FORM, Token
from common.settings import DatabaseSettings, read_settings

REPLAY = "summarise stored contracts anew, and read again those that could not be read"
AUDIT = "hold the ledger of slots to the schedules, and name what is missing or too many"
SCOPES = {
    "--region": ("region_id", "ID", "live contracts of a region"),
    "--contract": ("contract_id", "ID", "one contract, live or gone"),
    "--below-version": ("below_version", "N", "live contracts that rules older than version N have summarised"),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and end the process with its status; 1 with a sentence on stderr when something is wrong.

    2 for a wrong command line or wrong settings.
    """
    asked = _parser().parse_args(arguments)
    settings = read_settings(StackSettings)
    try:
        status = _run(asked, settings)
    except WrongSettingsError as error:
        print(error, file=sys.stderr)
        status = 2
    except StackError as error:
        print(f"freeport: {error}", file=sys.stderr)
        status = 1
    raise SystemExit(status)


def _run(asked: argparse.Namespace, settings: StackSettings) -> int:
    """Do what is asked. What only some commands take is imported where they begin: the others are done before."""
    match asked.command:
        case "up" | "demo":
            return _begin(asked, settings)
        case "replay" | "audit" | "keys":
            return asyncio.run(_asked(asked, settings))
        case "clean":
            return _clean(settings)
        case "provision":
            return subprocess.run([sys.executable, "-m", "common.provision"], check=False).returncode
        case _:
            return _status(settings)


def _begin(asked: argparse.Namespace, settings: StackSettings) -> int:
    from cli.console import Console
    from cli.demo import demo
    from cli.stack import Stack
    from cli.up import up

    begin = {"up": up, "demo": demo}[asked.command]
    return asyncio.run(begin(Stack.of(settings, live=asked.live), Console()))


async def _asked(asked: argparse.Namespace, settings: StackSettings) -> int:
    """What is asked of an api or of its database."""
    if asked.command == "keys":
        from common.keys import command

        return await command.run(asked, _database(settings))
    if asked.command == "audit":
        from cli.audit import audit

        return await audit(asked.api or settings.api_url)
    return await _replay(asked, settings)


def _clean(settings: StackSettings) -> int:
    removed = clean(settings.home)
    print("\n".join(f"removed {path}" for path in removed) or f"nothing to remove in {settings.home}")
    return 0


async def _replay(asked: argparse.Namespace, settings: StackSettings) -> int:
    from cli.replay import replay

    said = vars(asked)
    scope = {part: said[part] for part, *_ in SCOPES.values() if said[part] is not None}
    return await replay(asked.api or settings.api_url, _key(asked, settings), scope, force=asked.force)


def _key(asked: argparse.Namespace, settings: StackSettings) -> Token | None:
    """The key to show: the one that is set, or the local stack's, which no other API gets to see."""
    if settings.freeport_api_key is None:
        return None if asked.api else kept_key(settings.home)
    token = Token.parse(settings.freeport_api_key.get_secret_value())
    if token is None:
        raise StackError(f"FREEPORT_API_KEY is not a key: it would look like {FORM}")
    return token


def _database(settings: StackSettings) -> DatabaseSettings:
    """The database that is set, or the local stack's."""
    from cli.stack import Stack

    url = Stack.of(settings, live=False).database_url
    return DatabaseSettings(database_url=SecretStr(url), database_pool_size=1)


def _status(settings: StackSettings) -> int:
    """Say whether a stack runs on the directory; status 3 if none does, as for a service."""
    pid = holder(settings.home)
    print(f"Freeport runs on {settings.home}, process {pid}" if pid else f"Freeport does not run on {settings.home}")
    return 0 if pid else 3


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="freeport", description="New Eden's public contract market, on this machine")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, help_ in (
        ("up", "run the whole stack here until Ctrl-C"),
        ("demo", "run the stack, ask it for an ingest, show the market, and stop"),
    ):
        command = commands.add_parser(name, help=help_, description=help_)
        command.add_argument("--live", action="store_true", help="read the real ESI (needs ESI_USER_AGENT)")
    keys.add_arguments(commands.add_parser("keys", help=keys.HELP, description=keys.HELP))
    _add_replay(commands.add_parser("replay", help=REPLAY, description=REPLAY))
    audited = commands.add_parser("audit", help=AUDIT, description=AUDIT)
    audited.add_argument("what", choices=["schedules"])
    audited.add_argument("--api", metavar="URL", help="the API to ask; the local stack's by default")
    commands.add_parser("clean", help="remove what the local stack stored")
    commands.add_parser("provision", help="migrate the database and create the topics that the settings name")
    commands.add_parser("status", help="say whether the local stack runs")
    return parser


def _add_replay(command: argparse.ArgumentParser) -> None:
    scope = command.add_mutually_exclusive_group(required=True)
    for option, (part, metavar, help_) in SCOPES.items():
        scope.add_argument(option, dest=part, type=int, metavar=metavar, help=help_)
    command.add_argument("--force", action="store_true", help="read upstream again, also what is stored")
    command.add_argument("--api", metavar="URL", help="the API to ask; the local stack's by default")
