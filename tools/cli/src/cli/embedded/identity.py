"""Whom PostgreSQL runs as: it refuses root, and a user without a name."""

import os
import pwd
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from cli.errors import StackError
from cli.launch import Identity, launched

UNPRIVILEGED = ("postgres", "nobody", "daemon")


def identity_for(directory: Path, binary: Path) -> Identity:
    """Choose whom to run the binary as so that it may write the directory, which exists.

    An ordinary user stays who he is. Root appears as somebody else in a user namespace, so that files stay root's and
    no account or permission changes; where namespaces are refused, an unprivileged account gets the empty directory.
    Raises StackError with what to do when nothing works.
    """
    refusals = []
    for identity in _candidates(directory):
        refusal = _attempt(identity, directory, binary)
        if refusal is None:
            return identity
        refusals.append(f"  as {_named(identity)}: {refusal}")
    raise StackError(
        "PostgreSQL does not run as root, and here it cannot run as anybody else:\n"
        + "\n".join(refusals)
        + "\nRun Freeport as an ordinary user who owns its directory, or set FREEPORT_HOME to a directory that other"
        " users can reach (such as /var/tmp/freeport), or set DATABASE_URL to a PostgreSQL server of yours."
    )


def _candidates(directory: Path) -> Iterator[Identity]:
    owner = directory.stat()
    if os.geteuid() != 0:
        if _has_name(os.geteuid()):
            yield Identity()
            return
        yield from _mapped()
    elif owner.st_uid != 0:
        yield Identity("user", owner.st_uid, owner.st_gid)
    else:
        yield from _mapped()
        yield from (Identity("user", user.pw_uid, user.pw_gid) for user in _unprivileged())


def _mapped() -> Iterator[Identity]:
    yield from (Identity("mapped", user.pw_uid, user.pw_gid) for user in _unprivileged()[:1])


def _unprivileged() -> list[pwd.struct_passwd]:
    found = []
    for name in UNPRIVILEGED:
        with suppress(KeyError):
            found.append(pwd.getpwnam(name))
    return found


def _has_name(uid: int) -> bool:
    with suppress(KeyError):
        return bool(pwd.getpwuid(uid).pw_name)
    return False


def _attempt(identity: Identity, directory: Path, binary: Path) -> str | None:
    """Why the binary cannot run so, or None. The directory goes to another user only if it is empty and root's."""
    given = identity.kind == "user" and directory.stat().st_uid == 0 and not any(directory.iterdir())
    if given:
        os.chown(directory, identity.uid, identity.gid)
    command = launched([str(binary), "--version"], death_signal=signal.SIGKILL, identity=identity, directory=directory)
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    if outcome.returncode == 0:
        return None
    if given:
        os.chown(directory, 0, 0)
    return outcome.stderr.strip() or f"exit status {outcome.returncode}"


def _named(identity: Identity) -> str:
    name = pwd.getpwuid(identity.uid).pw_name if _has_name(identity.uid) else str(identity.uid)
    return f"{name} in a user namespace" if identity.kind == "mapped" else name
