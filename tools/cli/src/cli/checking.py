"""Looks at the settings of all processes before any of them starts."""

from collections.abc import Sequence

from cli.errors import WrongSettingsError
from cli.process import Process
from cli.settings import place_of
from common.settings import faults_of


def require_settings(table: Sequence[Process]) -> None:
    """Raise WrongSettingsError with what each process of `table` would end with; said once of what several read."""
    faults = [
        fault for process in table if process.settings for fault in faults_of(process.settings, process.environment)
    ]
    if faults:
        lines = [_with_remedy(fault) for fault in dict.fromkeys(faults)]
        raise WrongSettingsError("\n".join([*lines, "Nothing was started. .env.example lists every setting."]))


def _with_remedy(fault: str) -> str:
    place = place_of(fault.partition(":")[0])
    return f"{fault.rstrip(' .')}. It is set in {place}: correct or remove it there." if place else fault
