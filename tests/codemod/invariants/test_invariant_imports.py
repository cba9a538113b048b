"""Who may import what; the folder listing is the data flow."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import flax2optax.codemod
from flax2optax.codemod.codes import CODES

PACKAGE = "flax2optax.codemod"
CODEMOD = Path(flax2optax.codemod.__file__).parent
STAGES = ("collect", "index", "infer", "plan", "rewrite", "summary", "graph", "write")
FILES = sorted(CODEMOD.rglob("*.py"))
HEAVY = {"jax", "jaxlib", "flax", "optax", "numpy", "orbax"}


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def stage(name: str) -> str | None:
    """The stage that a dotted name or a file below the codemod belongs to."""
    parts = name.removeprefix(PACKAGE + ".").split(".")
    return parts[0] if name.startswith(PACKAGE + ".") and parts[0] in STAGES else None


def dotted(file: Path) -> str:
    return ".".join((PACKAGE, *file.relative_to(CODEMOD).with_suffix("").parts))


def test_the_rule_below_can_fail() -> None:
    assert stage(f"{PACKAGE}.plan.edits.Finding") == "plan"
    assert stage(dotted(CODEMOD / "infer/machine.py")) == "infer"
    assert stage(f"{PACKAGE}.diagnostic.Diagnostic") is None
    assert len(FILES) > 40


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(CODEMOD)))
def test_no_stage_imports_a_later_one(file: Path) -> None:
    if file.name == "pipeline.py":
        return
    own = stage(dotted(file))
    allowed = STAGES[: STAGES.index(own) + 1] if own else ()
    used = {stage(name) for name in imported(file)} - {None}
    assert used <= set(allowed)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(CODEMOD)))
def test_the_codemod_imports_neither_what_it_migrates_nor_the_other_programs(file: Path) -> None:
    names = list(imported(file))
    assert not {name.split(".")[0] for name in names} & HEAVY
    ours = [name for name in names if name.startswith("flax2optax.") and PACKAGE not in name]
    assert set(ours) <= {"flax2optax.__version__"}


def test_a_migration_runs_without_jax() -> None:
    program = f"import sys, {PACKAGE}.pipeline; print(sorted(set(sys.argv[1:]) & set(sys.modules)))"
    command = [sys.executable, "-c", program, *HEAVY]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_every_code_in_use_is_in_the_catalogue() -> None:
    sources = [file for file in CODEMOD.parent.rglob("*.py") if file.name != "codes.py"]
    used = {code for file in sources for code in re.findall(r"\bFXO\d{3}\b", file.read_text())}
    assert len(used) > 20
    assert used <= CODES.keys()


def test_every_module_says_what_it_is() -> None:
    silent = [file for file in FILES if not ast.get_docstring(ast.parse(file.read_text()))]
    assert silent == []
