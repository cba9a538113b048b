"""One module in, what the whole pipeline makes of it out: for tables of before and after."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flax2optax.codemod.diagnostic import Diagnostic, Severity
from flax2optax.codemod.mention import mentions_api
from flax2optax.codemod.outcome import Options, Outcome
from flax2optax.codemod.pipeline import migrate
from flax2optax.codemod.source import SourceFile

ROOT = Path("/program")
NAME = "train.py"


def check(before: str, after: str, **options: Any) -> None:
    """The module becomes `after`, nothing is left to a person, and a second run plans nothing."""
    outcome = migrated(before, **options)
    assert told(outcome) == []
    assert text_of(outcome, before) == after
    again = migrated(after, **options)
    assert (text_of(again, after), told(again)) == (after, [])


def check_refused(before: str, code: str, **options: Any) -> None:
    """Nothing changes, and a finding with this code says why."""
    outcome = migrated(before, **{"todo": False, **options})
    assert text_of(outcome, before) == before
    assert code in {one.code for one in told(outcome)}
    assert not any(flow.applied for flow in outcome.flows)


def check_unchanged(before: str, **options: Any) -> None:
    """Nothing changes and nothing is found: the module is not about flax.optim."""
    outcome = migrated(before, **options)
    assert (text_of(outcome, before), outcome.diagnostics) == (before, ())


def migrated(before: str, **options: Any) -> Outcome:
    """The outcome for one module; `options` are those of the pipeline."""
    return migrated_program({NAME: before}, **options)


def migrated_program(modules: Mapping[str, str], **options: Any) -> Outcome:
    """The outcome for modules by their names in the program."""
    return migrate([source(name, text) for name, text in modules.items()], Options(**options))


@dataclass(frozen=True)
class Context:
    """Every file of a project, those that do not mention the API too."""

    texts: Mapping[Path, SourceFile]

    @property
    def paths(self) -> frozenset[Path]:
        """The files that there are."""
        return frozenset(self.texts)

    def read(self, path: Path) -> SourceFile:
        """One of them."""
        return self.texts[path]


def migrated_project(modules: Mapping[str, str], **options: Any) -> Outcome:
    """The outcome for a project on whose other files the tool may look, as the command line has it."""
    sources = {ROOT / name: source(name, text) for name, text in modules.items()}
    asked = [one for one in sources.values() if mentions_api(one.data)]
    return migrate(asked, Options(**options), {ROOT: Context(sources)})  # type: ignore[dict-item]


def source(name: str, text: str, *, writable: bool = True) -> SourceFile:
    """A file as if it had been read; nothing is on disk."""
    return SourceFile(ROOT / name, name, text.encode(), text, str.encode, ROOT, writable)


def text_of(outcome: Outcome, before: str, name: str = NAME) -> str:
    """The new text of a module, which is the old one where it does not change."""
    return next((one.text for one in outcome.changes if one.source.display == name), before)


def told(outcome: Outcome) -> list[Diagnostic]:
    """Findings that no edit of this run resolves."""
    applied = {flow.id for flow in outcome.flows if flow.applied}
    return [
        one
        for one in outcome.diagnostics
        if one.severity is Severity.ERROR and not (one.fix and one.flow in applied)
    ]
