"""The card of many projects: its counts on a small corpus, and that it notices what it is there to notice."""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from migration import source

from flax2optax.codemod.outcome import FileChange

TOP = Path(__file__).parents[2]
PROJECTS = {
    "one": ("guide_basic_loop", "a local"),
    "two": ("refused_unknown_library", "b cross-function"),
    "three": ("refused_not_a_flax_optimizer", "b cross-function"),
}


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[ModuleType, ModuleType]]:
    monkeypatch.syspath_prepend(str(TOP / "benchmarks"))
    monkeypatch.setattr(sys, "path", list(sys.path))
    import scorecard
    import scoring

    yield scorecard, scoring


@pytest.fixture
def corpus(tmp_path: Path) -> tuple[str, str]:
    entries = []
    for name, (fixture, category) in PROJECTS.items():
        shutil.copytree(TOP / "fixtures" / fixture / "before", tmp_path / "exported" / f"me+{name}")
        files = [{"path": "train.py", "category": category}]
        entries.append({"repo": f"me/{name}", "project": "", "files": files})
    entries.append({"repo": "me/lost", "project": "", "files": []})
    listed = tmp_path / "repositories.json"
    listed.write_text(json.dumps(entries))
    return str(listed), str(tmp_path / "exported")


def test_the_card_of_a_small_corpus(scripts, corpus, capfd, tmp_path):
    before = contents(tmp_path / "exported")
    code = scripts[0].main([*corpus, "-j", "1", "--json", str(tmp_path / "card.json")])
    told = capfd.readouterr().out
    assert told.startswith("3 projects, 3 done, 0 over the limit, 1 not exported.\n")
    assert "| a | 1 | 1 | 0 | 0 | 100 % |  |" in told
    assert "| b | 1 | 0 | 0 | 1 | 0 % | FXO309 1, FXO310 1 |" in told
    assert "* me+three: nothing found in train.py, which does not name flax.optim" in told
    assert "All kept" in told
    assert (code, contents(tmp_path / "exported")) == (0, before)
    assert len(json.loads((tmp_path / "card.json").read_text())) == 3


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_project_that_takes_too_long_is_named(scripts, corpus, capfd):
    code = scripts[0].main([*corpus, "--only", "one", "-j", "1", "--limit", "0.01"])
    assert "* me+one: over the limit" in capfd.readouterr().out
    assert code == 1


BROKEN = {
    "crashed": {"crashed": "Traceback\nRuntimeError: x\n"},
    "again": {"again": ["train.py"]},
    "faults": {"faults": ["train.py: 1 new UndefinedName: x"]},
    "unsafe_faults": {"unsafe_faults": ["train.py: does not compile: x"]},
    "left": {"left": ["train.py:3"]},
    "silent": {"files": {}, "named": ["train.py"]},
}


@pytest.mark.parametrize("promise", BROKEN)
def test_a_broken_promise_is_told(promise, scripts):
    one = scripts[0].Scored("me+one", {"train.py": "a"}, BROKEN[promise])
    (told,) = one.broken()
    assert told.startswith(f"me+one: {promise}: ")


FAULTS = {
    "a name that nothing defines": ("x = 1\n", "x = y\n", "train.py: 1 new UndefinedName: y"),
    "an import that nothing uses": ("x = 1\n", "import jax\n", "train.py: 1 new UnusedImport: jax"),
    "no Python": ("x = 1\n", "x = (\n", "train.py: does not compile: '(' was never closed"),
    "one more of the same": (
        "def f():\n    return y\n",
        "def f():\n    return y + y\n",
        "train.py: 1 new UndefinedName: y",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_that_was_not_there_is_told(name, scripts):
    before, after, told = FAULTS[name]
    (found,) = scripts[1].faults(FileChange(source("train.py", before), after))
    assert found.startswith(told)


def test_what_was_there_before_is_no_fault(scripts):
    text = "import jax\n\ndef f():\n    return y\n"
    assert list(scripts[1].faults(FileChange(source("train.py", text), text + "x = 1\n"))) == []


USES = {
    "nothing": ("import optax\noptax.adam\n", []),
    "another optim": ("from mine import optim\noptim.Adam\n", []),
    "an import for nothing": ("import jax\nfrom flax import optim\n", [2]),
    "a use": ("from flax import optim\n\noptim.Adam\n", [3]),
    "a class": ("from flax.optim import Adam as A\n\nx = A(1)\n", [3]),
    "the dotted name": ("import flax\n\nx = flax.optim.Adam(1)\n", [3]),
}


@pytest.mark.parametrize("name", USES)
def test_lines_that_use_flax_optim(name, scripts):
    text, lines = USES[name]
    assert scripts[1].uses(text) == lines


def test_counts_are_of_flows_by_their_hardest_file(scripts):
    said = {"flows": [{"files": ["x.py", "y.py", "z.py"], "fate": "refused", "codes": ["FXO309"]}]}
    one = scripts[0].Scored("me+one", {"x.py": "a", "y.py": "d2"}, said)
    assert list(scripts[0].flow_fates([one])) == [("d2", "refused", ["FXO309"])]
