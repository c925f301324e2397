"""Starts a command that dies with its parent, and if asked as another user.

Run as a script by the interpreter in isolated mode, so it imports the standard library only: it costs 20 ms and
needs neither site-packages nor a home directory.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

REFUSED = 125
"""Exit status when the command could not be started as asked; stderr says why in one line."""

_CLONE_NEWUSER = 0x10000000
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Identity:
    """The user a command runs as.

    `same` is whoever runs us. `mapped` is a new user namespace in which we appear as that user, while every file stays
    ours outside. `user` is really that user, which only root may become.
    """

    kind: str = "same"
    uid: int = 0
    gid: int = 0


def launched(
    command: Sequence[str],
    *,
    death_signal: signal.Signals = signal.SIGKILL,
    identity: Identity | None = None,
    directory: Path | None = None,
) -> list[str]:
    """Wrap a command so that it gets the signal when the thread that starts it ends, however that happens.

    Call it in the process that starts the command. With a directory the command starts there, and only if its
    identity may write it. Only Linux tells a child of its parent's death; elsewhere that part does nothing.
    """
    who = identity or Identity()
    settings = [str(os.getpid()), str(int(death_signal)), who.kind, str(who.uid), str(who.gid), str(directory or "")]
    return [sys.executable, "-I", "-S", __file__, *settings, *command]


def _main(arguments: Sequence[str]) -> None:
    parent, death_signal, kind, uid, gid, directory, *command = arguments
    try:
        _become(Identity(kind, int(uid), int(gid)))
        _enter(directory)
        _die_with(int(parent), int(death_signal))
        os.execvpe(command[0], command, os.environ)  # noqa: S606, TID251  # the command gets the environment as it is
    except OSError as error:
        what = error.filename or command[0]
        print(f"cannot start {Path(command[0]).name}: {error.strerror}: {what}", file=sys.stderr)
        raise SystemExit(REFUSED) from None


def _become(identity: Identity) -> None:
    if identity.kind == "mapped":
        _enter_user_namespace(identity)
    elif identity.kind == "user":
        os.setgroups([])
        os.setresgid(identity.gid, identity.gid, identity.gid)
        os.setresuid(identity.uid, identity.uid, identity.uid)


def _enter_user_namespace(identity: Identity) -> None:
    uid, gid = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "unshare"):
        raise OSError(0, "this system has no user namespaces", "unshare")
    if libc.unshare(_CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "user namespace")
    try:
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{identity.uid} {uid} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{identity.gid} {gid} 1", encoding="ascii")
    except OSError as error:
        raise OSError(error.errno, error.strerror, "user namespace") from error


def _enter(directory: str) -> None:
    if directory:
        os.chdir(directory)
        if not os.access(".", os.W_OK):
            raise PermissionError(13, "Permission denied", directory)


def _die_with(parent: int, death_signal: int) -> None:
    """Ask the kernel for the signal at the parent's death; last, because a change of user clears the wish."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, death_signal)
        if os.getppid() != parent:
            raise SystemExit(REFUSED)


if __name__ == "__main__":
    _main(sys.argv[1:])
