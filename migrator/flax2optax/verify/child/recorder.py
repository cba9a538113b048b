"""Takes what the watched places hand over, in whatever thread, and writes one line per optimizer step.

Optax steps come in two halves, `tx.update` and `optax.apply_updates`, in either order when they are in one jit.
They belong together when both saw the same parameters.
"""

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ..recording import STEPS, Array, Part, Step, Writer
from .task import Task

Trees = Mapping[str, Mapping[str, Array]]
Note = Mapping[str, Any]
MOST_HALVES: Final = 64
"""So many updates may wait for their `apply_updates`; then the oldest is taken for a step without one."""


class SeveralProcessesError(Exception):
    """A recording has room for one."""


@dataclass
class _Half:
    parts: dict[str, Part]
    note: dict[str, Any] = field(default_factory=dict)


class Recorder:
    """`on_limit` is called once, from the thread that saw a step too many."""

    def __init__(self, task: Task, on_limit: Callable[[], None]) -> None:
        self.task = task
        self.on_limit = on_limit
        self.counts: Counter[str] = Counter()
        self.problems: list[str] = []
        self.ticks: list[float] = []
        self.loss: float | None = None
        self._writer: Writer | None = None
        self._lock = threading.RLock()
        self._counters: dict[str, set[int]] = defaultdict(set)
        self._updates: dict[str, list[_Half]] = defaultdict(list)
        self._applied: dict[str, list[_Half]] = defaultdict(list)
        self._closed = False

    def take(self, kind: str, stream: str, note: Note, trees: Trees) -> None:
        """One event; whatever goes wrong here must not end the program."""
        try:
            with self._lock:
                if not self._closed:
                    getattr(self, f"_{kind}")(stream, note, trees)
        except Exception as problem:
            told = f"{type(problem).__name__}: {problem}"
            if told not in self.problems:
                self.problems.append(told)

    def close(self) -> None:
        """Write the halves that found no other half, and take nothing more."""
        with self._lock:
            for stream, halves in self._updates.items():
                for half in halves:
                    self._write(stream, half.parts, half.note)
            self._updates.clear()
            self._closed = True
            if self._writer is not None:
                self._writer.close()

    def _loss(self, stream: str, note: Note, trees: Trees) -> None:
        (value,) = trees["loss"].values()
        self.loss = float(value)

    def _tick(self, stream: str, note: Note, trees: Trees) -> None:
        if self._is_over(stream, trees):
            return
        self.counts[stream] += 1
        self.ticks.append(time.perf_counter())

    def _flax(self, stream: str, note: Note, trees: Trees) -> None:
        if self._is_over(stream, trees):
            return
        parts = {name: self._out.part(tree) for name, tree in trees.items()}
        self._write(stream, parts, dict(note))

    def _yield(self, stream: str, note: Note, trees: Trees) -> None:
        self._write(stream, {name: self._out.part(tree) for name, tree in trees.items()}, {})

    def _update(self, stream: str, note: Note, trees: Trees) -> None:
        if self._is_over(stream, trees):
            return
        half = _Half({name: self._out.part(tree) for name, tree in trees.items()}, dict(note))
        found = _take(self._applied[stream], half.parts.get("params"))
        if found is not None:
            self._write(stream, half.parts | found.parts, half.note)
            return
        waiting = self._updates[stream]
        waiting.append(half)
        if len(waiting) > MOST_HALVES:
            oldest = waiting.pop(0)
            self._write(stream, oldest.parts, oldest.note)

    def _apply(self, stream: str, note: Note, trees: Trees) -> None:
        half = _Half({name: self._out.part(tree) for name, tree in trees.items()})
        found = _take(self._updates[stream], half.parts["params"])
        if found is not None:
            self._write(stream, found.parts | half.parts, found.note)
        elif not self._is_over(stream, trees):
            self._applied[stream].append(half)
            del self._applied[stream][:-MOST_HALVES]

    def _is_over(self, stream: str, trees: Trees) -> bool:
        """Whether this step is one too many; a program of several devices makes each step several times."""
        if self.task.limits:
            waiting = len(self._updates[stream])
            limit = self.task.limits.get(stream, max(self.task.limits.values()))
            over = self.counts[stream] + waiting >= limit
        else:
            over = self._counts_on(stream, trees)
        if over and not self._updates[stream]:
            self._closed = True
            self.on_limit()
        return over

    def _counts_on(self, stream: str, trees: Trees) -> bool:
        limit, seen = self.task.steps, self._counters[stream]
        counter = trees.get("state", {}).get("step")
        number = self.counts[stream] if counter is None else int(counter)
        if limit and number not in seen and len(seen) >= limit:
            return True
        seen.add(number)
        return False

    def _write(self, stream: str, parts: Mapping[str, Part], note: dict[str, Any]) -> None:
        if self.loss is not None:
            note["loss"], self.loss = self.loss, None
        self.counts[stream] += 1
        self._out.step(Step(stream, parts, note))

    @property
    def _out(self) -> Writer:
        if self._writer is None:
            folder = Path(self.task.folder)
            if (folder / STEPS).exists():
                raise SeveralProcessesError("more than one process makes optimizer steps")
            self._writer = Writer(folder)
        return self._writer


def _take(halves: list[_Half], params: Part | None) -> _Half | None:
    """The oldest half that saw these parameters; an update without parameters goes with any."""
    for half in halves:
        own = half.parts.get("params")
        if own is None or params is None or own == params:
            halves.remove(half)
            return half
    return None
