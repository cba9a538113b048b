"""The programs of the benchmark are programs that migrate; nothing is timed here."""

from pathlib import Path
from types import ModuleType

import pytest

from flax2optax.codemod.collect import Selection, collect
from flax2optax.codemod.outcome import Options
from flax2optax.codemod.pipeline import migrate

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import program

    return program


def test_the_tree_has_as_many_modules_as_it_says(program: ModuleType, tmp_path: Path) -> None:
    program.plant(tmp_path, 30, 16)
    modules = [path for path in tmp_path.rglob("*.py") if path.name != "__init__.py"]
    assert len(modules) == 30
    assert len([path for path in modules if path.parent.name.startswith("group")]) == 16
    for path in modules:
        compile(path.read_text(), path.name, "exec", dont_inherit=True)


def test_both_kinds_of_programs_migrate_whole(program: ModuleType, tmp_path: Path) -> None:
    program.plant(tmp_path, 18, 16)
    read, problems = collect([str(tmp_path)], Selection(tmp_path))
    outcome = migrate(read.candidates, Options(), read.projects)
    flows = [flow for flow in outcome.flows if flow.id.startswith("flow-")]
    assert (problems, len(flows)) == ((), 2)
    assert all(flow.applied for flow in flows)
    changed = {change.source.path.parent.name for change in outcome.changes}
    assert changed == {"group0", "group1"}
