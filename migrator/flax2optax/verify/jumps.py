"""Which step counters a short run visits: a few from zero, then those where schedules change."""

import ast
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

FROM_ZERO: Final = 6
DECADES: Final = (999, 9_999, 99, 499, 29_999, 99_999, 9, 4_999, 1_999, 999_999)
EACH: Final = 2
SMALLEST: Final = 12
LARGEST: Final = 10_000_000
MOST: Final = 6
LIKELY: Final = 100
"""Schedules seldom change before; smaller numbers are widths and sizes."""


def plan_jumps(steps: int, boundaries: Sequence[int] = ()) -> dict[int, int]:
    """From which counter to which: `FROM_ZERO` steps, then two at each place, as many as there are steps for."""
    counters = visited(steps, boundaries)
    return {old + 1: new for old, new in itertools.pairwise(counters) if new != old + 1}


def visited(steps: int, boundaries: Sequence[int] = ()) -> list[int]:
    """The counters in the order they are visited; every boundary is met one before and at itself."""
    start = min(FROM_ZERO, max(2, (steps + 1) // 2))
    early = [number for number in boundaries if number >= LIKELY]
    wanted = [number - 1 for number in early] + list(DECADES[:2])
    wanted += [number - 1 for number in boundaries if number < LIKELY] + list(DECADES[2:])
    taken = list(range(start))
    for place in wanted:
        pair = [place, place + 1]
        if len(taken) + EACH > steps:
            break
        if not set(pair) & set(taken) and place + 2 not in taken and taken[-1] + 1 != place:
            taken += pair
    return [*range(start), *_ascending(taken[start:])] if steps else taken


def boundaries_in(folder: Path) -> list[int]:
    """Whole numbers in the program's text, the ones that occur most first: they may be steps of a schedule."""
    found: Counter[int] = Counter()
    for path in sorted(folder.rglob("*.py")):
        found.update(_numbers(path))
    ranked = sorted(found, key=lambda number: (number < LIKELY, -found[number], number))
    return ranked[:MOST]


def _ascending(counters: Sequence[int]) -> list[int]:
    """Counters only go up, as they do in a program."""
    return sorted(counters)


def _numbers(path: Path) -> Iterator[int]:
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        value = node.value if isinstance(node, ast.Constant) else None
        if not isinstance(value, (int, float)) or not SMALLEST <= value <= LARGEST:
            continue
        if float(value).is_integer():
            yield int(value)
