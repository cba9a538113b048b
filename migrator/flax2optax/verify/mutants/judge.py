"""All mutants on all programs: how clear of the threshold the verdict is on either side."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from ..recording import Array
from ..verdict import LIMIT, Verdict, judge, measure
from .catalogue import MUTANTS, Mutant, Program
from .models import Model
from .train import common, train_flax, train_optax

CONTROLS: Final = (1, 2, 3)
Leaves = dict[str, Array]


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
    """Keeps the runs before: many mutants share one."""

    optim: Any
    model: Model
    runs: dict[str, tuple[list[Leaves], list[list[Leaves]], str]] = field(default_factory=dict)

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
        before, controls, optimizer = self._before(program)
        after = list(train_optax(self.model, source, program, slip))
        pairs = common(before[0], after[0], optimizer)
        old, *noisy = (
            [{name: step[pair[0]] for name, pair in pairs.items()} for step in run]
            for run in (before, *controls)
        )
        new = [
            {name: sign * step[path] for name, (_, path, sign) in pairs.items()} for step in after
        ]
        verdict = judge(old, noisy, new)
        return replace(verdict, ratio=max(one.ratio for one in measure(old, noisy, new)))

    def _before(self, program: Program) -> tuple[list[Leaves], list[list[Leaves]], str]:
        key = f"{program.flax} {program.rate} {program.clip}"
        if key not in self.runs:
            runs, name = train_flax(self.optim, self.model, program, (0, *CONTROLS))
            self.runs[key] = runs[0], runs[1:], name
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
    """Tell each verdict, then the two ratios; 1 if a verdict is wrong."""
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
    echo(f"smallest mutant / threshold: {min(mutants) / LIMIT:.3g}")
    largest = max(rights)
    echo(f"smallest threshold / right:  {LIMIT / largest if largest else math.inf:.3g}")
    return int(wrong > 0)
