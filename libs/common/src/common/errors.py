"""Errors are named by what happens next."""

from datetime import timedelta


class FreeportError(Exception):
    """Everything that Freeport raises on purpose."""


class TryAgainError(FreeportError):
    """The work can be repeated as it is, in a moment."""


class DeferError(FreeportError):
    """The work has to wait; `after` says how long."""

    def __init__(self, reason: str, after: timedelta) -> None:
        super().__init__(reason)
        self.after = after


class SetAsideError(FreeportError):
    """No repeat will help: the message goes to the dead letters, with the reason."""


class AlreadyHandledError(FreeportError):
    """This delivery was handled before; its effect stands and nothing is left to do."""
