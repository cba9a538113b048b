"""A run with nothing to do imports nothing costly, says the same as the whole program, and is quick."""

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import pytest

from flax2optax.cli.glance import glance

PROBE = """
import sys
sys.argv = ["flax2optax", *sys.argv[1:]]
from flax2optax.cli import main
code = main()
print(sorted({"click", "libcst", "pathspec", "re", "tomllib"} & set(sys.modules)), file=sys.stderr)
sys.exit(code)
"""

LEFT_TO_THE_WHOLE_PROGRAM = {
    "nothing": [],
    "a candidate": ["ours.py"],
    "one candidate among others": ["a.py", "ours.py"],
    "a folder": ["."],
    "a missing file": ["missing.py"],
    "another ending": ["README.md"],
    "a flag with a value": ["--form", "auto", "a.py"],
    "a mode that prints elsewhere": ["--check", "a.py"],
    "a flag of another command": ["check", "--allow-dirty", "a.py"],
    "another command": ["explain", "a.py"],
    "two dashes": ["--", "a.py"],
    "standard input": ["-"],
    "a configured project": ["configured/a.py"],
}

ANSWERED = [
    ["a.py"],
    ["a.py", "b.ipynb", "sub/c.pyi"],
    ["check", "a.py"],
    ["-q", "a.py"],
    ["migrate", "a.py", "--allow-dirty"],
]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("a.py", "b.ipynb", "sub/c.pyi", "README.md", "configured/a.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("import optax\n" * 500)
    (tmp_path / "ours.py").write_text("import flax.optim\n")
    (tmp_path / "configured" / "pyproject.toml").write_text("[tool.flax2optax]\n")
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    return tmp_path


@pytest.mark.parametrize(
    "arguments", LEFT_TO_THE_WHOLE_PROGRAM.values(), ids=LEFT_TO_THE_WHOLE_PROGRAM
)
def test_a_glance_is_not_enough_for(arguments: list[str], files: Path) -> None:
    assert glance(arguments) is None


@pytest.mark.parametrize("arguments", ANSWERED, ids=" ".join)
def test_a_glance_says_what_the_whole_program_says(arguments: list[str], files: Path) -> None:
    short = probe(*arguments)
    whole = probe(*arguments, "--color", "never")
    assert (short.returncode, short.stdout) == (whole.returncode, whole.stdout) == (0, whole.stdout)
    assert short.stderr == b"[]\n"
    assert b"click" in whole.stderr


@pytest.mark.parametrize("arguments", [["."], ["check", "sub", "a.py"]], ids=" ".join)
def test_without_candidates_libcst_is_never_imported(arguments: list[str], files: Path) -> None:
    (files / "ours.py").unlink()
    assert b"libcst" not in probe(*arguments).stderr


def test_ten_irrelevant_files_are_quick(files: Path) -> None:
    """The goal is 2.5 times an empty Python; medians of alternating runs, for the machine may be busy."""
    names = []
    for number in range(10):
        names.append(f"f{number}.py")
        (files / names[-1]).write_bytes(b"x = 1\n" * 2500)
    program = "import sys; from flax2optax.cli import main; sys.exit(main())"
    pairs = [(timed("pass"), timed(program, *names)) for _ in range(15)]
    assert median(ours for _, ours in pairs) <= 2.5 * median(bare for bare, _ in pairs)


def probe(*arguments: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run([sys.executable, "-c", PROBE, *arguments], capture_output=True)


def timed(program: str, *arguments: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", program, *arguments], check=True, capture_output=True)
    return time.perf_counter() - start
