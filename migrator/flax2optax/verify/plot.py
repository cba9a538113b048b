"""Line plots as SVG, drawn here so that the page needs nothing from anywhere."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

WIDTH: Final = 640
HEIGHT: Final = 240
LEFT: Final = 66
RIGHT: Final = 12
TOP: Final = 12
BOTTOM: Final = 34
LEAST: Final = 1e-18
"""Zero has no place on a log scale; it is drawn at the bottom."""

Lines = Mapping[str, Sequence[float]]


def log_plot(lines: Lines, label: str) -> str:
    """Each line by its CSS class, over the step numbers from 1, on a log scale."""
    values = [value for line in lines.values() for value in line if _is_drawn(value)]
    low = math.floor(math.log10(min(values, default=LEAST))) - 1
    high = math.ceil(math.log10(max(values, default=1.0)))
    scale = {
        name: [math.log10(value) if _is_drawn(value) else low for value in line]
        for name, line in lines.items()
    }
    every = max(1, (high - low) // 5)
    ticks = {float(place): f"1e{place}" for place in range(low + 1, high + 1, every)}
    return _plot(scale, low, max(high, low + 1), ticks, label)


def plain_plot(lines: Lines, label: str) -> str:
    """The same with an even scale."""
    values = [value for line in lines.values() for value in line if math.isfinite(value)]
    low, high = min(values, default=0.0), max(values, default=1.0)
    high = high if high > low else low + 1
    ticks = {low + (high - low) * at / 4: f"{low + (high - low) * at / 4:.3g}" for at in range(5)}
    shown = {
        name: [value if math.isfinite(value) else high for value in line]
        for name, line in lines.items()
    }
    return _plot(shown, low, high, ticks, label)


def _plot(lines: Lines, low: float, high: float, ticks: Mapping[float, str], label: str) -> str:
    steps = max((len(line) for line in lines.values()), default=1)

    def across(step: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (step / max(steps - 1, 1))

    def up(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - low) / (high - low))

    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">',
        *(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up(at):.1f}" y2="{up(at):.1f}"/>'
            f'<text x="{LEFT - 6}" y="{up(at) + 4:.1f}" text-anchor="end">{text}</text>'
            for at, text in ticks.items()
        ),
        *(
            f'<text x="{across(step):.1f}" y="{HEIGHT - 10}" text-anchor="middle">{step + 1}</text>'
            for step in range(0, steps, max(1, steps // 8))
        ),
    ]
    for name, line in lines.items():
        points = " ".join(f"{across(at):.1f},{up(value):.1f}" for at, value in enumerate(line))
        parts.append(f'<polyline class="{name}" points="{points}"/>')
        parts += [
            f'<circle class="{name}" cx="{across(at):.1f}" cy="{up(value):.1f}" r="2.5"/>'
            for at, value in enumerate(line)
            if name != "limit"
        ]
    return "".join([*parts, "</svg>"])


def _is_drawn(value: float) -> bool:
    return value > LEAST and math.isfinite(value)
