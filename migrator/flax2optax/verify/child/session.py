"""One watched process: what is done when jax, flax and optax arrive, and at the end."""

import atexit
import contextlib
import ctypes
import json
import os
import platform
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from .recorder import Recorder
from .task import Task

OUTCOME: Final = "outcome.json"
PROBLEM: Final = "problem.txt"
COMPILE: Final = "/jax/core/compile/backend_compile"
CACHE_HIT: Final = "/jax/compilation_cache/cache_hits"


class Session:
    """Holds the recorder, and the patches for as long as the process lives."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.started = time.perf_counter()
        self.recorder = Recorder(task, self._limit_reached)
        self.places: dict[str, Any] = {}
        self.compiled: list[tuple[str, float]] = []
        self.retrieved: list[str] = []
        self._found = threading.local()
        self._patches = contextlib.ExitStack()
        self._finished = threading.Lock()
        self._done = False
        self._limited = False

    def jax_is_there(self, jax: ModuleType) -> None:
        """The aliases of removed names, the clock of the compiler, the losses."""
        from ..reference import REMOVED_ALIASES
        from .sites import watch_loss

        if self.task.x64:
            jax.config.update("jax_enable_x64", True)
        for old, new in REMOVED_ALIASES.items():
            vars(jax).setdefault(old, getattr(jax.tree_util, new))
        jax.monitoring.register_event_listener(self._cache_hit)
        jax.monitoring.register_event_duration_secs_listener(self._compiled)
        if not self.task.light:
            watch_loss(jax, self.recorder.take)
        atexit.register(self._at_exit)

    def flax_is_there(self, flax: ModuleType) -> None:
        """Before: the served flax.optim. Both: wider parameters where the task asks for them.

        A program without flax has none of it; then the replay at its end is what imports flax.
        """
        if self._done:
            return
        from ..precision import float64
        from ..reference import serve
        from .classes import watch_new_classes
        from .sites import jumper, update_teller, watch_class, watch_flax
        from .start import start_flax, start_records

        jump = jumper(self.task.jumps) if self.task.jumps else None
        if self.task.x64:
            self._patches.enter_context(float64())
        if jump is not None:
            start_records(flax.struct, jump)
        if self.task.side == "after":
            told = update_teller(self.recorder.take, self.places, self.task.light, jump)
            watch_new_classes(lambda kind: watch_class(kind, told))
            return
        optim = self._patches.enter_context(serve(Path(self.task.wheel)))
        start_flax(optim, self.task)
        watch_flax(optim.Optimizer, self.recorder.take, self.places, self.task.light, jump)

    def train_state_is_there(self, module: ModuleType) -> None:
        """It imports Optax, so it is waited for, too."""
        from .start import start_train_state

        start_train_state(module.TrainState, self.task)

    def optax_is_there(self, optax: ModuleType) -> None:
        """Every transformation; a program may have some of its own before, too."""
        from .sites import jumper, watch_optax

        jump = jumper(self.task.jumps) if self.task.jumps else None
        watch_optax(optax, self.recorder.take, self.places, self.task.light, jump)

    def finish(self) -> None:
        """Write what is left to write, replay, and tell how it went; once."""
        with self._finished:
            if self._done:
                return
            self._done = True
            jax: Any = sys.modules.get("jax")
            with contextlib.suppress(Exception):
                jax.effects_barrier()
            self.recorder.close()
            outcome = self._outcome(jax)
            if self.recorder.counts:
                self._save(outcome)
                outcome["replay"] = self._replayed()
            self._save(outcome)

    def _replayed(self) -> dict[str, Any]:
        if not self.task.replay:
            return {}
        try:
            from .replay import replay

            return replay(self.task, self.places)
        except Exception as problem:
            where = traceback.extract_tb(problem.__traceback__)[-1]
            text = f"{type(problem).__name__}: {problem} ({where.name}:{where.lineno})"
            return {"problem": text}

    def _outcome(self, jax: Any) -> dict[str, Any]:
        if jax is None or not self.recorder.counts:
            return {"steps": {}, "problems": self.recorder.problems}
        devices = jax.local_devices()
        return {
            "steps": dict(self.recorder.counts),
            "problems": self.recorder.problems,
            "ticks": self.recorder.ticks,
            "compiled": self.compiled,
            "retrieved": self.retrieved,
            "peak": _peak(devices),
            "devices": [str(one.device_kind) for one in devices],
            "platform": jax.default_backend(),
            "versions": _versions(),
        }

    def _save(self, outcome: dict[str, Any]) -> None:
        """Processes without a step leave nothing, so that helpers of the program do not count."""
        folder = Path(self.task.folder)
        folder.mkdir(parents=True, exist_ok=True)
        if outcome["problems"] and not outcome["steps"]:
            (folder / PROBLEM).write_text("\n".join(outcome["problems"]))
        if outcome["steps"] or not (folder / OUTCOME).exists():
            (folder / OUTCOME).write_text(json.dumps(outcome, default=str))

    def _at_exit(self) -> None:
        self.finish()
        if self._limited:
            self._end()

    def _limit_reached(self) -> None:
        self._limited = True
        _stop(threading.main_thread())
        threading.Thread(target=self._end, name="flax2optax", daemon=True).start()

    def _end(self) -> None:
        """Enough steps: the program need not go on, and however it ended meanwhile was our doing."""
        self.finish()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(0)

    def _cache_hit(self, event: str, **_: Any) -> None:
        if event == CACHE_HIT:
            self._found.in_cache = True

    def _compiled(self, event: str, seconds: float, **told: Any) -> None:
        """What was found in the cache of an earlier run took no time to compile."""
        if not event.startswith(COMPILE):
            return
        name = str(told.get("fun_name", ""))
        if getattr(self._found, "in_cache", False):
            self.retrieved.append(name)
        else:
            self.compiled.append((name, seconds))
        self._found.in_cache = False


def _stop(thread: threading.Thread) -> None:
    """Let a thread exit at its next line, as by `sys.exit()`; a program that went on would take the replay's time."""
    number = ctypes.c_ulong(thread.ident or 0)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(number, ctypes.py_object(SystemExit))


def _peak(devices: Any) -> int:
    """Of the device where it tells, else of the process."""
    stats: list[Callable[[], Any]] = [one.memory_stats for one in devices]
    for stat in stats:
        found = stat()
        if found and "peak_bytes_in_use" in found:
            return int(found["peak_bytes_in_use"])
    try:
        import resource
    except ImportError:
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in ("jax", "jaxlib", "flax", "optax", "numpy"):
        module = sys.modules.get(name)
        if module is not None:
            found[name] = str(getattr(module, "__version__", ""))
    return found


CURRENT: Session | None = None
"""The one of this process."""
