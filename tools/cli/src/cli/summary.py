from collections.abc import Mapping, Sequence
from typing import Any

from cli.stack import Stack, logs_of
from common.keys.tokens import Token


def served(stack: Stack, key: Token) -> list[str]:
    """What is served where, a line each, and the key to what is not open to all."""
    api = stack.settings.api_url
    return [
        f"  API          {api}/api/v1/contracts",
        f"  API key      {key.reveal()}",
        f"  docs         {api}/docs  {api}/redoc  {api}/asyncapi",
        f"  health       {api}/health/ready  {api}/health/detailed",
        f"  PostgreSQL   {stack.shown_database_url}",
        f"  Kafka        {stack.bootstrap_servers}",
        f"  ESI          {stack.esi_url}{' (simulated)' if stack.runs_esi else ''}",
        f"  logs         {logs_of(stack.settings)}",
    ]


def as_table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> list[str]:
    """Lines of a table; columns map a field to its title. Numbers stand right."""
    cells = [[*columns.values()], *([_text(row.get(field)) for field in columns] for row in rows)]
    widths = [max(len(line[at]) for line in cells) for at in range(len(columns))]
    right = [any(isinstance(row.get(field), int | float) for row in rows) for field in columns]
    return [
        "  ".join(
            text.rjust(width) if is_right else text.ljust(width)
            for text, width, is_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in cells
    ]


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.2f}"
    text = str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"  # noqa: PLR2004  # columns of a terminal
