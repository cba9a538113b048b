"""A stand-in for the stages in the middle, told by words in the source; as a script, the whole program over it.

`flax.optim.` becomes `optax.`, in one flow per file, or in one flow for all files that say `# shared`.
"""

import re
import sys
import types
from collections.abc import Mapping, Sequence
from pathlib import Path

from flax2optax.codemod.collect import Project
from flax2optax.codemod.diagnostic import Applicability, Diagnostic, Location, Severity
from flax2optax.codemod.outcome import FileChange, FlowSummary, Options, Outcome
from flax2optax.codemod.source import SourceFile

OLD, NEW = "flax.optim.", "optax."


def migrate(
    sources: Sequence[SourceFile], options: Options, projects: Mapping[Path, Project]
) -> Outcome:
    if any("# crash" in source.text for source in sources):
        raise RuntimeError("a bug")
    found = [one for source in sources for one in _findings(source)]
    wanted = [one for one in found if options.select is None or one.code in options.select]
    flows = {}
    for one in wanted:
        if one.flow:
            flows.setdefault(one.flow, []).append(one)
    applied = {
        name
        for name, ones in flows.items()
        if options.unsafe or all(one.fix is Applicability.SAFE for one in ones)
    }
    summaries = tuple(
        FlowSummary(
            name,
            tuple(dict.fromkeys(one.location.path for one in ones)),
            len(ones),
            name in applied,
            options.form,
        )
        for name, ones in flows.items()
    )
    changed = {name for flow in summaries if flow.applied for name in flow.files}
    changes = tuple(
        FileChange(source, source.text.replace(OLD, NEW))
        for source in sources
        if source.display in changed
    )
    return Outcome(changes, tuple(wanted), summaries)


def _findings(source: SourceFile) -> list[Diagnostic]:
    flow = "shared" if "# shared" in source.text else source.display
    found = []
    for number, line in enumerate(source.text.split("\n"), 1):
        place = Location(source.display, number, 1, number, len(line) + 1)
        if "# manual" in line:
            found.append(Diagnostic("FXO402", "needs you", place))
        elif "# note" in line:
            found.append(Diagnostic("FXO701", "only told", place, severity=Severity.NOTE))
        elif re.search(re.escape(OLD), line):
            fix = Applicability.UNSAFE if "# unsafe" in line else Applicability.SAFE
            found.append(Diagnostic("FXO301", "was removed", place, "carry it", fix, flow))
    return found


def as_module() -> types.ModuleType:
    module = types.ModuleType("flax2optax.codemod.pipeline")
    module.migrate = migrate  # type: ignore[attr-defined]
    return module


if __name__ == "__main__":
    sys.modules["flax2optax.codemod.pipeline"] = as_module()
    from flax2optax.cli import main

    sys.exit(main())
