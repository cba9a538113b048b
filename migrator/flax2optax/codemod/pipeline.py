"""migrate(): the six stages on one screen; chart() draws what they found and decided."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flax2optax.codemod.collect import Project
from flax2optax.codemod.collect.program_files import ProgramFiles, by_root
from flax2optax.codemod.graph import Graph
from flax2optax.codemod.graph.chart import chart as chart_program
from flax2optax.codemod.graph.chart import joined
from flax2optax.codemod.index.places import Places
from flax2optax.codemod.index.program import Program
from flax2optax.codemod.infer import OptimizerFacts, infer
from flax2optax.codemod.outcome import Options, Outcome
from flax2optax.codemod.plan import plan
from flax2optax.codemod.plan.decide import decide, hold
from flax2optax.codemod.plan.edits import MigrationPlan
from flax2optax.codemod.rewrite import rewrite
from flax2optax.codemod.rewrite.markers import mark_files
from flax2optax.codemod.rewrite.self_check import stop, suspects
from flax2optax.codemod.source import SourceFile
from flax2optax.codemod.summary.conclude import conclude, is_wanted

Read = Callable[[str], str | None]


def migrate(
    sources: Sequence[SourceFile], options: Options, projects: Mapping[Path, Project] | None = None
) -> Outcome:
    """Plan and rewrite programs; files of one `root` are one program, with the rest of it as context."""
    outcomes = [_migrate_program(one, options) for one in _programs(sources, projects)]
    return Outcome(
        tuple(change for one in outcomes for change in one.changes),
        tuple(diagnostic for one in outcomes for diagnostic in one.diagnostics),
        tuple(flow for one in outcomes for flow in one.flows),
    )


def chart(
    sources: Sequence[SourceFile], options: Options, projects: Mapping[Path, Project] | None = None
) -> Graph:
    """Draw the flows of programs, with the decisions that `migrate` takes."""
    programs = _programs(sources, projects)
    return joined(chart_program(*_decided(one, options)[:3]) for one in programs)


@dataclass(frozen=True, slots=True)
class _Program:
    """The files of one program; `mark` tells the names of its flows from those of other programs."""

    files: ProgramFiles
    root: str
    mark: str


def _programs(
    sources: Sequence[SourceFile], projects: Mapping[Path, Project] | None
) -> list[_Program]:
    roots = by_root(sources)
    return [
        _Program(
            ProgramFiles(own, (projects or {}).get(root)),
            str(root),
            f".{number}" if len(roots) > 1 else "",
        )
        for number, (root, own) in enumerate(roots.items(), 1)
    ]


def _migrate_program(one: _Program, options: Options) -> Outcome:
    _, planned, places, texts = _decided(one, options)
    if options.todo:
        texts |= mark_files(planned, places, lambda code: is_wanted(code, options))
    return conclude(planned, places, options, texts)


def _decided(
    one: _Program, options: Options
) -> tuple[OptimizerFacts, MigrationPlan, Places, dict[str, str]]:
    facts, planned = _planned(one.files, one.root, options, one.files.text)
    for flow in planned.flows:
        flow.id += one.mark
    places = Places(facts.program, one.files)
    _hold(planned, places, options)
    return facts, planned, places, _rewritten(facts, planned, places, one.root, options)


def _planned(
    files: ProgramFiles, root: str, options: Options, read: Read, opened: Iterable[str] = ()
) -> tuple[OptimizerFacts, MigrationPlan]:
    """Infer and plan; `opened` are files that will be needed besides the named ones."""
    program = Program(files.named, files.paths, read, os.path.realpath(root))
    facts = infer(program, tuple(dict.fromkeys((*files.named, *opened))))
    return facts, plan(facts, unsafe=options.unsafe, form=options.form)


def _hold(planned: MigrationPlan, places: Places, options: Options) -> None:
    """Leave alone what the user does not want, or answers with a comment."""
    hold(
        planned.flows,
        lambda one: not is_wanted(one.code, options) or places.answered(one.code, one.node),
    )
    decide(planned.flows, unsafe=options.unsafe)


def _rewritten(
    facts: OptimizerFacts, planned: MigrationPlan, places: Places, root: str, options: Options
) -> dict[str, str]:
    """Rewrite until what is left passes its own check; what does not is left as it was."""

    def plan_again(read: Read) -> tuple[MigrationPlan, Callable[[int], str]]:
        whole = all(flow.applied for flow in planned.flows)  # then there is nothing left to follow
        opened = () if whole else tuple(sorted(facts.machine.open))
        changed, again = _planned(places.files, root, options, read, opened)
        return again, lambda node: changed.program.owner(node).path

    while True:
        texts = rewrite(planned, places)
        suspected = suspects(texts, places, plan_again)
        if not suspected:
            return texts
        stop(planned.flows, suspected, places)
        decide(planned.flows, unsafe=options.unsafe)
