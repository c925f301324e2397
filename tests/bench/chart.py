"""Seconds over the number of contracts, as an SVG that reads on light and dark pages."""

import math
from collections.abc import Callable, Iterable, Sequence

Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 48, 56
STEPS = (1, 2, 5, 10)

STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .grid { stroke: #d0d7de; stroke-width: 1 }
  .measured { stroke: #0969da; fill: #0969da }
  .floor { stroke: #9a6700; fill: #9a6700 }
  polyline { fill: none !important; stroke-width: 2 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .grid { stroke: #3d444d }
    .measured { stroke: #58a6ff; fill: #58a6ff }
    .floor { stroke: #d29922; fill: #d29922 }
  }
"""


def drawn(measured: Points, floor: Points) -> str:
    """Both axes begin at zero and are linear, so a cost that is linear is a straight line."""
    across, up = ticks(max(x for x, _ in measured)), ticks(max(y for _, y in [*measured, *floor]))

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            round(LEFT + x / across[-1] * (WIDTH - LEFT - RIGHT), 1),
            round(HEIGHT - BOTTOM - y / up[-1] * (HEIGHT - TOP - BOTTOM), 1),
        )

    title = "Seconds of a cold load over contracts in the region"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">',
        f"<style>{STYLE}</style>",
        *_grid(across, up, place),
        *_line("floor", floor, place),
        *_line("measured", measured, place),
        *_legend(),
        f'<text x="{LEFT}" y="20">seconds until every contract and all items are stored</text>',
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 14}" text-anchor="end">contracts in the region</text>',
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def ticks(most: float) -> list[float]:
    """Round numbers from zero to `most` or just above, at most seven."""
    power = 10 ** math.floor(math.log10(most / 6))
    step = next(power * each for each in STEPS if power * each * 6 >= most)
    return [step * number for number in range(math.ceil(most / step) + 1)]


Place = Callable[[float, float], tuple[float, float]]


def _grid(across: Sequence[float], up: Sequence[float], place: Place) -> Iterable[str]:
    for value in up:
        x, y = place(0, value)
        yield f'<line class="grid" x1="{x}" y1="{y}" x2="{WIDTH - RIGHT}" y2="{y}"/>'
        yield f'<text x="{x - 8}" y="{y + 4}" text-anchor="end">{value:,g}</text>'
    for value in across:
        x, y = place(value, 0)
        yield f'<line class="grid" x1="{x}" y1="{TOP}" x2="{x}" y2="{y}"/>'
        yield f'<text x="{x}" y="{y + 20}" text-anchor="middle">{value:,.0f}</text>'


def _line(name: str, points: Points, place: Place) -> Iterable[str]:
    placed = [place(x, y) for x, y in points]
    yield f'<polyline class="{name}" points="{" ".join(f"{x},{y}" for x, y in placed)}"/>'
    yield from (f'<circle class="{name}" cx="{x}" cy="{y}" r="4"/>' for x, y in placed)


def _legend() -> Iterable[str]:
    for index, (name, text) in enumerate((("measured", "measured"), ("floor", "floor: bare requests and bare COPY"))):
        y = TOP + 14 + index * 20
        yield f'<circle class="{name}" cx="{LEFT + 16}" cy="{y - 4}" r="4"/>'
        yield f'<text x="{LEFT + 28}" y="{y}">{text}</text>'
