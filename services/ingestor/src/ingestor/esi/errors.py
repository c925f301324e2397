from datetime import timedelta

from common.errors import DeferError, FreeportError


class UpstreamUnavailableError(DeferError):
    """ESI is down, overloaded, unreachable or not to be asked now: the work waits and is taken up again."""

    def __init__(self, reason: str, after: timedelta = timedelta(seconds=5)) -> None:
        super().__init__(reason, after)


class UpstreamRefusedError(FreeportError):
    """ESI answered that what was asked for is not there, or not for us; asking again gives the same answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"ESI answered {status}: {message}")
        self.status = status
        self.message = message
