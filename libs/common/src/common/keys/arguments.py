"""What `freeport keys` takes. A module of its own, for a command line is read before anything else is loaded."""

import argparse
import re
from datetime import timedelta

from common.keys.tokens import Scope

HELP = "make, list and revoke the API keys of the database that the settings name"
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_LONGEST = timedelta(days=36_500)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The subcommands `create`, `list` and `revoke`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    help_ = "make a key and print its token, this once"
    create = actions.add_parser("create", help=help_, description=help_)
    scopes = [scope.value for scope in Scope]
    create.add_argument(
        "--scope", dest="scopes", action="append", required=True, choices=scopes, help="what it may do; may be repeated"
    )
    create.add_argument("--note", type=_note, help="whose it is, or what for")
    create.add_argument("--expires", dest="life", type=_life, metavar="90d", help="hours (h), days (d) or weeks (w)")
    help_ = "show the keys that there ever were, without their secrets"
    actions.add_parser("list", help=help_, description=help_)
    help_ = "end a key's validity for good, within seconds"
    revoke = actions.add_parser("revoke", help=help_, description=help_)
    revoke.add_argument("key_id", metavar="ID", help="the part of the token between fp_ and the secret; see list")


def _life(text: str) -> timedelta:
    match = re.fullmatch(r"([1-9]\d{0,5})([hdw])", text)
    life = int(match[1]) * _UNITS[match[2]] if match else _LONGEST
    if life >= _LONGEST:
        raise argparse.ArgumentTypeError("is a number of hours, days or weeks, as 12h, 90d or 52w")
    return life


def _note(text: str) -> str:
    if not text.isprintable():
        raise argparse.ArgumentTypeError("has characters that cannot be printed")
    return text
