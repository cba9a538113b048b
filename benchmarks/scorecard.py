"""The tool over many real projects: what it finds, migrates and refuses, by category, and whether it breaks its promises.

    python benchmarks/scorecard.py REPOSITORIES.json EXPORTED [--only NAME] [-j 2] [--limit 300] [--json FILE]

EXPORTED has one folder for each project of REPOSITORIES.json, `OWNER+REPO` or `OWNER+REPO__PATH`.
Every project is copied and only the copy is changed.
Prints numbers, names of projects and codes, never code; exits with 1 if a promise is broken.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCORING = Path(__file__).with_name("scoring.py")
CATEGORIES = ("a", "b", "c", "d1", "d2", "e")
FATES = ("migrated", "unsafe", "refused")
PROMISES = ("crashed", "again", "faults", "unsafe_faults", "left", "silent")


@dataclass(frozen=True)
class Scored:
    """One project: its name, the category of each file that counts, and what `scoring.py` said of it."""

    name: str
    categories: Mapping[str, str]
    said: Mapping[str, Any] = field(default_factory=dict)

    def broken(self) -> Iterator[str]:
        """What it did that it may never do."""
        for promise in PROMISES[:-1]:
            found = self.said.get(promise) or ()
            for one in (found,) if isinstance(found, str) else found:
                yield f"{self.name}: {promise}: {one.strip().splitlines()[-1]}"
        for path in self.silent():
            if path in self.said["named"]:
                yield f"{self.name}: silent: {path}"

    def silent(self) -> list[str]:
        """Files that count and have no finding."""
        if "files" not in self.said:
            return []
        return sorted(self.categories.keys() - self.said["files"].keys())


def main(arguments: Sequence[str]) -> int:
    """Print the card."""
    asked = parse(arguments)
    entries = json.loads(asked.repositories.read_text("utf-8"))
    chosen = [one for one in entries if asked.only in label(one)]
    there = [one for one in chosen if (asked.exported / label(one)).is_dir()]
    scored = []
    with ThreadPoolExecutor(asked.jobs) as pool:
        for one in pool.map(lambda entry: run(entry, asked.exported, asked.limit), there):
            print(line(one), file=sys.stderr, flush=True)
            scored.append(one)
    if asked.json:
        asked.json.write_text(json.dumps([vars(one) for one in scored], indent=1), "utf-8")
    print("\n".join(card(scored, missing=len(chosen) - len(there))))
    late = any("late" in one.said for one in scored)
    return int(late or any(True for one in scored for _ in one.broken()))


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("repositories", type=Path)
    parser.add_argument("exported", type=Path)
    parser.add_argument("--only", default="", help="projects whose name has this in it")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--limit", type=float, default=300, help="seconds for one project")
    parser.add_argument("--json", type=Path, help="everything, for other programs")
    return parser.parse_args(arguments)


def label(entry: Mapping[str, Any]) -> str:
    """The name of a project's folder."""
    parts = (entry["repo"].replace("/", "+"), entry["project"].replace("/", "_"))
    return "__".join(filter(None, parts))


def run(entry: Mapping[str, Any], exported: Path, limit: float) -> Scored:
    """Score a copy of one project in a process of its own."""
    source = exported / label(entry)
    categories = counted(entry, source)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "tree"
        shutil.copytree(source, copy, symlinks=True)
        (copy / ".git").mkdir(exist_ok=True)  # the top of a repository
        try:
            done = subprocess.run(
                [sys.executable, str(SCORING)],
                cwd=copy, capture_output=True, text=True, timeout=limit,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return Scored(label(entry), categories, {"late": limit})
    if done.returncode:
        return Scored(label(entry), categories, {"crashed": done.stderr or "killed"})
    said = json.loads(done.stdout)
    return Scored(label(entry), apart(categories, said), said)


def apart(categories: Mapping[str, str], said: Mapping[str, Any]) -> dict[str, str]:
    """Files that belong to a program from before Linen are apart too, whatever the list says of the file alone."""
    stopped = set(said.get("before_linen", ()))
    return {
        path: kind + (" pre-Linen" if path in stopped and " " not in kind else "")
        for path, kind in categories.items()
    }


def counted(entry: Mapping[str, Any], source: Path) -> dict[str, str]:
    """The application files of a project by their category, those with models from before Linen apart."""
    return {
        one["path"]: kind + (" pre-Linen" if one.get("prelinen") else "")
        for one in entry["files"]
        if (kind := one["category"].split()[0]) in CATEGORIES
        and not one.get("test")
        and (source / one["path"]).is_file()
    }


# The card


def line(one: Scored) -> str:
    """One project at a glance."""
    if "late" in one.said:
        return f"{one.name}: not done in {one.said['late']:.0f} s"
    if "flows" not in one.said:
        return f"{one.name}: crashed"
    fates = Counter(flow["fate"] for flow in one.said["flows"])
    told = ", ".join(f"{fates[fate]} {fate}" for fate in FATES if fates[fate])
    return (
        f"{one.name}: {told or 'no flow'}; {one.said['seconds']:.1f} s, {one.said['mib']:.0f} MiB"
    )


def card(scored: Sequence[Scored], *, missing: int) -> Iterator[str]:
    """The tables as Markdown, and every broken promise."""
    late = [one.name for one in scored if "late" in one.said]
    done = [one for one in scored if "flows" in one.said]
    yield f"{len(scored)} projects, {len(done)} done, {len(late)} over the limit, {missing} not exported."
    yield from ("", "### Files", "")
    yield from table(file_fates(done))
    yield from ("", "### Flows, by the hardest of their files", "")
    yield from table(flow_fates(done))
    yield from ("", "### Cost", "")
    yield from cost(done)
    yield from ("", "### Promises", "")
    broken = [fault for one in scored for fault in one.broken()]
    broken += [f"{name}: over the limit" for name in late]
    yield from (f"* {fault}" for fault in broken)
    yield from others(done)
    if not broken:
        yield "All kept: no crash, no use without a finding, nothing left for a second run, no new undefined name or unused import, every changed file compiles."


def others(done: Iterable[Scored]) -> Iterator[str]:
    """Files that do not name flax.optim, and have no finding: a name that looks alike, or something missed."""
    for one in done:
        for path in one.silent():
            if path not in one.said["named"]:
                yield f"* {one.name}: nothing found in {path}, which does not name flax.optim"


Fates = Iterable[tuple[str, str, Sequence[str]]]


def file_fates(done: Iterable[Scored]) -> Fates:
    """Category, fate and codes of every file that counts."""
    for one in done:
        for path, category in one.categories.items():
            told = one.said["files"].get(path)
            if told is not None:
                yield category, told["fate"], told["codes"]


def flow_fates(done: Iterable[Scored]) -> Fates:
    """Category, fate and codes of every flow that has a file that counts."""
    for one in done:
        for flow in one.said["flows"]:
            known = [one.categories[path] for path in flow["files"] if path in one.categories]
            if known:
                yield max(known, key=hardness), flow["fate"], flow["codes"]


def hardness(category: str) -> tuple[bool, int]:
    """Models from before Linen are the hardest, whatever else."""
    return "pre-Linen" in category, CATEGORIES.index(category.split()[0])


def table(fates: Fates) -> Iterator[str]:
    """One row for each category."""
    counts: dict[str, Counter[str]] = {}
    codes: dict[str, Counter[str]] = {}
    for category, fate, why in fates:
        counts.setdefault(category, Counter())[fate] += 1
        if fate == "refused":
            codes.setdefault(category, Counter()).update(why)
    yield "| category | found | migrated | only unsafe | refused | share | refused by |"
    yield "|---|---|---|---|---|---|---|"
    for category in sorted(counts, key=hardness):
        count = counts[category]
        total = sum(count.values())
        share = f"{100 * count['migrated'] / total:.0f} %"
        why = ", ".join(f"{code} {n}" for code, n in codes.get(category, Counter()).most_common())
        cells = (category, total, *(count[fate] for fate in FATES), share, why)
        yield f"| {' | '.join(map(str, cells))} |"


def cost(done: Sequence[Scored]) -> Iterator[str]:
    """Time and memory of the slowest and the largest."""
    if not done:
        return
    slow = max(done, key=lambda one: one.said["seconds"])
    large = max(done, key=lambda one: one.said["mib"])
    total = sum(one.said["seconds"] for one in done)
    yield f"{total:.0f} s for one run over all of them."
    yield f"The slowest is {slow.name} with {slow.said['seconds']:.1f} s, the largest {large.name} with {large.said['mib']:.0f} MiB."


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
