"""ESI's errors: what the simulator's routes raise, in ESI's words."""

from typing import Final

NOT_FOUND: Final = 404


class EsiError(Exception):
    """Ends a request with a status and ESI's envelope around the message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


TRANQUILITY_DOWN: Final = "The datasource tranquility is temporarily unavailable"
ERROR_LIMITED: Final = (
    "This software has exceeded the error limit for ESI. If you are a user, please contact the maintainer of"
    " this software. If you are a developer/maintainer, please make a greater effort in the future to receive valid"
    " responses."
)
MESSAGES: Final = {
    400: "Bad request",
    403: "Contract not public",
    404: "Not found",
    420: ERROR_LIMITED,
    429: "Too many requests",
    500: "Internal server error",
    502: TRANQUILITY_DOWN,
    503: TRANQUILITY_DOWN,
    504: "Timeout contacting tranquility",
    520: 'ConStopSpamming, details: {"remainingTime": 64226997}',
}
"""What ESI says with each status; the time in a 520 is in microseconds."""


def not_found(what: str) -> EsiError:
    """404, for example `Region not found`."""
    return EsiError(404, f"{what} not found")


def no_such_page(status: int = 404) -> EsiError:
    """404 for a page beyond the last one, or the 500 that the older path makes of it."""
    message = "Requested page does not exist!"
    return EsiError(status, message if status == NOT_FOUND else f"Undefined 404 response. Original message: {message}")


def spamming(seconds: float) -> str:
    """What the monolith says to who asks too fast; the time that remains is in microseconds (esi-issues #636)."""
    return f'ConStopSpamming, details: {{"remainingTime": {int(seconds * 1_000_000)}}}'
