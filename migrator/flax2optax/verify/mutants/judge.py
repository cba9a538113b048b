"""All mutants on all programs: how clear of the threshold the verdict is on either side."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from ..verdict import LIMIT, Verdict, judge, measure
from .catalogue import MUTANTS, Mutant, Program
from .models import Model
from .train import Leaves, Places, common, train_flax, train_optax

CONTROLS: Final = (1, 2, 3)
CLEAR: Final = 1000.0
"""So many times the threshold is the smallest mistake at least."""
NEAR: Final = 10.0
"""The threshold is so many times the largest rounding of a right migration at least."""
Runs = Sequence[Sequence[Leaves]]


@dataclass(frozen=True, slots=True)
class Judged:
    """One verdict, with the largest ratio of all steps; `mutant` is empty for a right migration."""

    model: str
    program: str
    mutant: str
    verdict: Verdict

    @property
    def is_right(self) -> bool:
        """Whether the verdict is the one that was to be found."""
        return self.verdict.equal == (not self.mutant)


@dataclass
class Judge:
    """Keeps the runs before: many mutants share one. `places` says which leaves are compared."""

    optim: Any
    model: Model
    places: Callable[[Sequence[Leaves], Sequence[Leaves]], Places] = common
    runs: dict[str, Runs] = field(default_factory=dict)

    def right(self, program: Program) -> Judged:
        """The migration that is equal."""
        verdict = self._verdict(program, program.optax)
        return Judged(self.model.name, program.flax, "", verdict)

    def wrong(self, name: str, mutant: Mutant) -> Judged:
        """One with a mistake."""
        source = mutant.optax or mutant.program.optax
        verdict = self._verdict(mutant.program, source, mutant.slip)
        return Judged(self.model.name, mutant.program.flax, name, verdict)

    def _verdict(self, program: Program, source: str, slip: str = "") -> Verdict:
        before, *controls = self._before(program)
        after = list(train_optax(self.model, source, program, slip))
        pairs = self.places(before, after)
        old, *noisy = (
            [{name: step[pair[0]] for name, pair in pairs.items()} for step in run]
            for run in (before, *controls)
        )
        new = [
            {name: sign * step[path] for name, (_, path, sign) in pairs.items()} for step in after
        ]
        verdict = judge(old, noisy, new)
        return replace(verdict, ratio=max(one.ratio for one in measure(old, noisy, new)))

    def _before(self, program: Program) -> Runs:
        key = f"{program.flax} {program.rate} {program.clip}"
        if key not in self.runs:
            self.runs[key] = train_flax(self.optim, self.model, program, (0, *CONTROLS))
        return self.runs[key]


def judge_mutants(
    optim: Any, models: Iterable[Model], names: Mapping[str, Mutant] = MUTANTS
) -> Iterator[Judged]:
    """Every mutant, and every right migration once, on every model."""
    for model in models:
        judges = Judge(optim, model)
        seen = set()
        for name, mutant in names.items():
            if mutant.program not in seen:
                seen.add(mutant.program)
                yield judges.right(mutant.program)
            yield judges.wrong(name, mutant)


def summary(found: Iterable[Judged], echo: Callable[[str], None]) -> int:
    """Tell each verdict, then the two ratios; 1 if a verdict is wrong, or a ratio not clear enough."""
    mutants, rights, wrong = [math.inf], [0.0], 0
    for one in found:
        ratio = one.verdict.ratio
        (mutants if one.mutant else rights).append(ratio)
        wrong += not one.is_right
        word = "ok   " if one.is_right else "WRONG"
        where = f"{one.verdict.leaf} step {one.verdict.step}" if ratio else ""
        echo(
            f"{word} {one.model}: {one.mutant or 'right: ' + one.program}: ratio {ratio:.3g} {where}"
        )
    counts = (
        f"{len(mutants) - 1} mutants, {len(rights) - 1} right migrations, {wrong} wrong verdicts"
    )
    echo(counts)
    clear = min(mutants) / LIMIT
    near = LIMIT / max(rights) if max(rights) else math.inf
    echo(f"smallest mutant / threshold: {clear:.3g}")
    echo(f"smallest threshold / right:  {near:.3g}")
    return int(wrong > 0 or clear < CLEAR or near < NEAR)
