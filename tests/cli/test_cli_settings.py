"""`[tool.flax2optax]`."""

from pathlib import Path

import pytest
from cli_driver import Run

OURS = "import flax\nopt = flax.optim.Adam()\n"

BAD = {
    "an unknown key": "colour = true",
    "a key with underscores": "unsafe_fixes = true",
    "a number for a flag": "unsafe-fixes = 1",
    "a word for a list": 'exclude = "a"',
    "a list of numbers": "ignore = [1]",
    "an unknown form": 'form = "new"',
    "an unknown format": 'output-format = "xml"',
    "an unknown code": 'select = ["E501"]',
    "no TOML": "=",
}


@pytest.mark.parametrize("line", BAD.values(), ids=BAD)
@pytest.mark.parametrize("text", [OURS, "x = 1\n"], ids=["candidate", "irrelevant"])
def test_a_bad_key_is_bad_usage_whatever_the_files(text: str, line: str, run: Run) -> None:
    configure(line)
    Path("a.py").write_text(text)
    ran = run("a.py")
    assert ran.code == 2
    assert "pyproject.toml" in ran.err or "unknown code" in ran.err
    assert Path("a.py").read_text() == text


def test_a_table_that_is_none(run: Run) -> None:
    Path("pyproject.toml").write_text("[tool]\nflax2optax = 1\n")
    Path("a.py").write_text(OURS)
    assert run("a.py").code == 2


def test_isolated_uses_none_of_it(run: Run) -> None:
    configure("colour = true")
    Path("a.py").write_text(OURS)
    assert run("--isolated", "a.py").code == 0


def test_a_project_file_without_the_table_is_not_even_parsed(run: Run) -> None:
    Path("pyproject.toml").write_text("[this is no TOML")
    Path("a.py").write_text(OURS)
    assert run("a.py").code == 0


def test_keys_are_used_and_flags_win(run: Run) -> None:
    configure('output-format = "concise"\nselect = ["FXO4"]\nextend-exclude = ["old"]')
    Path("old").mkdir()
    Path("old/b.py").write_text("flax.optim  # manual\n")
    Path("a.py").write_text(OURS + "flax.optim  # manual\n")
    assert run("check", ".").out.startswith("a.py:3:1: FXO402 needs you\nFound 1 finding ")
    assert "FXO301" in run("check", "--select", "FXO301,FXO4", ".").out
    assert "-->" in run("check", "--output-format", "full", ".").out


def test_the_nearest_table_above_the_files_counts(run: Run) -> None:
    configure('output-format = "json"')
    inner = Path("sub/deep")
    inner.mkdir(parents=True)
    (inner / "a.py").write_text(OURS)
    Path("sub/pyproject.toml").write_text('[project]\nname = "x"\n')
    assert run("check", "sub/deep/a.py").out.startswith("[")
    Path("sub/pyproject.toml").write_text('[tool.flax2optax]\noutput-format = "concise"\n')
    assert run("check", "sub/deep/a.py").out.startswith("sub")


def test_a_named_file(run: Run) -> None:
    Path("other.toml").write_text('[tool.flax2optax]\noutput-format = "concise"\n')
    Path("empty.toml").write_text("")
    Path("a.py").write_text(OURS)
    assert run("check", "--config", "other.toml", "a.py").out.startswith("a.py:2:1")
    assert run("check", "--config", "empty.toml", "a.py").code == 2
    assert run("check", "--config", "missing.toml", "a.py").code == 2


def test_select_takes_prefixes_and_all(run: Run) -> None:
    Path("a.py").write_text(OURS)
    assert run("check", "--select", "FXO", "a.py").code == 1
    assert run("check", "--select", "ALL", "a.py").code == 1
    assert run("check", "--select", "FXO2", "--select", "FXO5,FXO6", "a.py").code == 0


def configure(line: str) -> None:
    Path("pyproject.toml").write_text(f"[tool.flax2optax]\n{line}\n")
