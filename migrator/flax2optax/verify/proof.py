"""One proof from its first child process to its report."""

import math
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from .cause import likely_cause
from .child.task import Task, read_task
from .decide import decide
from .evidence import Evidence, compare_recordings, replayed
from .jumps import boundaries_in, plan_jumps
from .measured import (
    Speeds,
    compile_times,
    folded_copies,
    losses,
    rates,
    speeds,
    visited_counters,
)
from .outcome import CannotRunError, Outcome, check
from .pairing import is_optax
from .recording import Recording
from .reference import ReferenceUnavailableError
from .report import Report
from .runs import Command, after_task, run
from .trees import Trees
from .verdict import Verdict

CONTROLS: Final = (1, 2, 3)
FREE: Final = "free run in float64"
REPLAY: Final = "replay in float64"
OWN: Final = "free run in the program's own type"
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """`steps` 0 lets the command end by itself; `boundaries` are counters that a schedule changes at."""

    wheel: Path
    steps: int = 20
    boundaries: tuple[int, ...] = ()
    timing: bool = True
    jobs: int = 2
    shown: str = ""


def prove(trees: Trees, command: Command, options: Options, progress: Progress) -> Report:
    """Run both programs and compare; whatever stands in the way is a report too."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="flax2optax-", ignore_cleanup_errors=True) as folder:
        proof = _Proof(trees, command, options, progress, Path(folder))
        try:
            report = proof.report()
        except (CannotRunError, ReferenceUnavailableError) as problem:
            report = Report("not run", str(problem), options.shown)
    return replace(report, seconds=time.monotonic() - begun)


class _Proof:
    def __init__(
        self, trees: Trees, command: Command, options: Options, progress: Progress, folder: Path
    ) -> None:
        self.trees, self.command, self.options, self.folder = trees, command, options, folder
        self.progress = progress
        self.notes: list[str] = [trees.note] if trees.note else []
        self.done, self.total = 0, 7 + 2 * options.timing

    def report(self) -> Report:
        """Float64 where the program can, its own type beside it, then the clock."""
        with ThreadPoolExecutor(self.options.jobs) as pool:
            first = pool.submit(self._wide)
            own_before = pool.submit(self._run, "before", self._task("own-before")).result()
            check(own_before, "before")
            own_after = pool.submit(self._after, own_before, "own-after")
            wide = first.result()
            if wide is not None:
                after = pool.submit(self._after, wide, "wide-after")
                controls = [pool.submit(self._control, wide, seed) for seed in CONTROLS]
        if wide is None:
            own_before = self._run("before", self._task("replayed-before", replay=True))
            return self._narrow(own_before)
        found = [one.result() for one in controls]
        for one in (after, own_after):
            check(one.result(), "after")
        if self._is_narrow(after.result(), wide, "after"):
            own_before = self._run("before", self._task("replayed-before", replay=True))
            return self._narrow(own_before)
        return self._judged(wide, found, after.result(), own_before, own_after.result())

    def _narrow(self, before: Outcome) -> Report:
        """The program does not run in float64: its own type with its own controls, and the replay."""
        with ThreadPoolExecutor(self.options.jobs) as pool:
            after = pool.submit(self._after, before, "replayed-after", True)
            controls = [pool.submit(self._control, before, seed) for seed in CONTROLS]
        check(after.result(), "after")
        found = [one.result() for one in controls]
        return self._judged(before, found, after.result(), before, after.result(), wide=False)

    def _judged(
        self,
        before: Outcome,
        controls: Sequence[Outcome],
        after: Outcome,
        own_before: Outcome,
        own_after: Outcome,
        wide: bool = True,
    ) -> Report:
        old, new = Recording(before.folder), Recording(after.folder)
        noisy = [Recording(one.folder) for one in controls if not one.code]
        free = compare_recordings(FREE if wide else OWN, old, noisy, new)
        replay = self._replay(before, after)
        own = None
        if wide:
            recordings = Recording(own_before.folder), Recording(own_after.folder)
            own = compare_recordings(OWN, recordings[0], [], recordings[1])
        evidence = [one for one in (free, replay, own) if one is not None]
        again = self._repeatable(before, wide) if not free.verdict.equal else True
        decision = decide(free, replay, wide, again, own)
        cause = likely_cause(old, new) if decision.answer == "differs" else ""
        told = own_before.told or before.told
        return Report(
            answer=decision.answer,
            sentence=decision.sentence,
            command=self.options.shown,
            leaf=decision.verdict.leaf,
            step=decision.verdict.step,
            ratio=decision.verdict.ratio,
            cause=cause,
            evidence=tuple(evidence),
            counters=visited_counters(old),
            speed=self._speed(folded_copies(old), compile_times(own_before, own_after)),
            losses={
                side: found
                for side, one in (("before", own_before), ("after", own_after))
                if (found := losses(Recording(one.folder)))
            },
            rates=rates(old),
            versions=dict(told["versions"]) | _optax(own_after, after),
            devices=told["devices"],
            platform=told["platform"],
            seeds=(0, *CONTROLS),
            notes=tuple(
                dict.fromkeys(filter(None, (*self.notes, *decision.notes, *_notes(evidence))))
            ),
        )

    def _wide(self) -> Outcome | None:
        """The run before in float64, with jumps if the program takes them; None if there is none."""
        boundaries = self.options.boundaries or boundaries_in(self.trees.before)
        jumps = plan_jumps(self.options.steps, boundaries) if self.options.steps else {}
        for name, jumping in (("wide-before", jumps), ("wide-before-unjumped", {})):
            task = replace(self._task(name, replay=True), x64=True, jumps=jumping)
            outcome = self._run("before", task)
            if outcome.code == 127:
                check(outcome, "before")
            if not outcome.code and outcome.steps:
                break
        else:
            self.notes.append(f"The program before does not run in float64: {outcome.last_line}")
            return None
        return None if self._is_narrow(outcome, outcome, "before") else outcome

    def _is_narrow(self, outcome: Outcome, before: Outcome, side: str) -> bool:
        """Whether a parameter of an optimizer of flax is not in double precision."""
        steps = Recording(before.folder).steps
        streams = {step.stream for step in steps if not is_optax(step)}
        narrow = _narrow_leaf(Recording(outcome.folder), streams)
        if narrow:
            self.notes.append(
                f"The program {side} keeps {narrow} in its own type, so float64 says little."
            )
        return bool(narrow)

    def _task(self, name: str, replay: bool = False) -> Task:
        return Task(
            "before",
            str(self.folder / name),
            wheel=str(self.options.wheel),
            steps=self.options.steps,
            replay=replay,
            cache=str(self.folder / "compiled"),
        )

    def _after(self, before: Outcome, name: str, replay: bool = False) -> Outcome:
        task = after_task(_task_of(before), before)
        against = str(before.folder) if task.replay or replay else ""
        task = replace(task, folder=str(self.folder / name), against=against)
        return self._run("after", task)

    def _control(self, before: Outcome, seed: int) -> Outcome:
        task = replace(_task_of(before), seed=seed, replay=False)
        name = f"{before.name}-control-{seed}"
        return self._run("before", replace(task, folder=str(self.folder / name)))

    def _repeatable(self, before: Outcome, wide: bool) -> bool:
        """Whether the program before does the same twice."""
        task = replace(_task_of(before), folder=str(self.folder / "again"), replay=False)
        again = self._run("before", task)
        recordings = Recording(before.folder), Recording(again.folder)
        return compare_recordings("again", recordings[0], [], recordings[1]).verdict.ratio == 0

    def _replay(self, before: Outcome, after: Outcome) -> Evidence | None:
        for outcome in (before, after):
            problem = outcome.told.get("replay", {}).get("problem")
            if problem:
                self.notes.append(f"No replay: {problem}")
                return None
        return replayed(REPLAY, after.told.get("replay"))

    def _speed(self, copies: int, known: Mapping[str, float]) -> Speeds:
        """One run after the other, with nothing recorded but the time."""
        if not self.options.timing:
            return {}
        task = replace(self._task("light-before"), light=True)
        before = self._run("before", task)
        task = replace(after_task(task, before), folder=str(self.folder / "light-after"))
        after = self._run("after", task)
        if before.code or after.code:
            return {}
        return speeds(before, after, copies, known)

    def _run(self, side: str, task: Task) -> Outcome:
        name = Path(task.folder).name
        tree = self.trees.before if side == "before" else self.trees.after
        outcome = run(self.command, tree, task, name)
        self.done += 1
        self.total = max(self.total, self.done)
        self.progress(self.done, self.total, name)
        return outcome


def _task_of(outcome: Outcome) -> Task:
    return read_task(outcome.folder / "task.json")


def _narrow_leaf(recording: Recording, streams: Collection[str]) -> str:
    firsts = {step.stream: step for step in reversed(recording.steps) if step.stream in streams}
    for step in firsts.values():
        for path, (_, dtype, _) in step.parts.get("new_params", {}).items():
            if "float" in dtype and dtype != "float64":
                return f"{path} ({dtype})"
    return ""


def _optax(*outcomes: Outcome) -> dict[str, str]:
    for outcome in outcomes:
        found = outcome.told.get("versions", {}).get("optax")
        if found:
            return {"optax": str(found)}
    return {}


def _notes(evidence: Sequence[Evidence]) -> tuple[str, ...]:
    notes = [note for one in evidence for note in one.notes]
    return (*notes, *(_broken(one.verdict) for one in evidence if one.name == OWN))


def _broken(verdict: Verdict) -> str:
    """What no rounding explains, though the comparison in the program's own type decides nothing."""
    if math.isfinite(verdict.ratio):
        return ""
    where = f" at step {verdict.step}, in {verdict.leaf}" if verdict.leaf else ""
    return f"In the program's own type the two are not the same{where}: {verdict.detail}."
