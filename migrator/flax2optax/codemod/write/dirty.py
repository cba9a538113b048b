"""Which files git could not give back: those with changes that are not committed."""

import subprocess
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

_STATUS = ("status", "--porcelain=v1", "-z", "--untracked-files=no", "--ignore-submodules=all")


def dirty_files(paths: Sequence[Path]) -> Mapping[Path, str]:
    """Return the files that are not as committed, and why. What is outside of version control is never dirty."""
    by_top: dict[Path, list[Path]] = defaultdict(list)
    for path in paths:
        top = repository_top(path)
        if top is not None:
            by_top[top].append(path)
    found: dict[Path, str] = {}
    for top, files in by_top.items():
        found |= _dirty_in(top, files)
    return found


def repository_top(path: Path) -> Path | None:
    """Return the nearest folder above with a `.git`."""
    return next((above for above in path.parents if (above / ".git").exists()), None)


def _dirty_in(top: Path, files: Sequence[Path]) -> Mapping[Path, str]:
    try:
        changed = _changed(top)
    except (OSError, subprocess.CalledProcessError) as problem:
        detail = getattr(problem, "stderr", None) or str(problem).encode()
        reason = (
            f"git cannot tell whether it is committed: {detail.decode(errors='replace').strip()}"
        )
        return dict.fromkeys(files, reason)
    return {path: "it has uncommitted changes" for path in files if path in changed}


def _changed(top: Path) -> frozenset[Path]:
    """A renamed file is followed by a field with its old name, which no longer exists."""
    command = ["git", "-c", "core.fsmonitor=false", "-C", str(top), *_STATUS]
    answer = subprocess.run(command, capture_output=True, check=True, timeout=600)
    fields = answer.stdout.decode(errors="surrogateescape").split("\0")
    return frozenset(top / field[3:] for field in fields if field[2:3] == " ")
