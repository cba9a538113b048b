"""Every patch is taken by `git apply` and by nothing less than that."""

import subprocess
from pathlib import Path

import pytest

from flax2optax.codemod.outcome import FileChange
from flax2optax.codemod.source import SourceFile
from flax2optax.codemod.summary import patch

LONG = "".join(f"line {number}\n" for number in range(40))
CHANGED = (
    LONG.replace("line 3\n", "").replace("line 20\n", "line 20\nmore\n").replace("line 38", "last")
)

TEXTS = {
    "plain": (LONG, CHANGED),
    "carriage returns": (LONG.replace("\n", "\r\n"), CHANGED.replace("\n", "\r\n")),
    "mixed line ends": (LONG.replace("2\n", "2\r\n"), CHANGED.replace("2\n", "2\r\n")),
    "no final line end": (LONG.removesuffix("\n"), CHANGED.removesuffix("\n")),
    "a final line end is added": ("a", "a\n"),
    "a final line end is lost": ("a\n", "a"),
    "no final line end and carriage returns": ("a\r\nb", "a\r\nc"),
    "lone carriage returns": ("a\rb\rc\n", "a\rx\rc\n"),
    "form feed and separators": ("a\x0cb\n\x1c\u2028\nc\n", "a\x0cb\n\x1c\u2028\nd\n"),
    "lines that look like a patch": (
        "--- a\n+++ b\n@@ -1 +1 @@\n",
        "--- a\n+++ b\n@@ -1 +1 @@ x\n",
    ),
    "markup": ("x = '[red]a[/red]'\n", "x = '[bold]a[/bold] \x1b[31m'\n"),
    "emptied": ("a\n", ""),
    "filled": ("", "a\n"),
    "one line": ("a\n", "b\n"),
}

NAMES = [
    "a.py",
    "sub/deep/a.py",
    "with space.py",
    "naïve.py",
    'quo"te\\back.py',
    "tab\there.py",
    "-dash.py",
]


def test_nothing_changed_is_an_empty_patch(tmp_path: Path) -> None:
    assert patch([change(tmp_path, "a.py", "a\n", "a\n")], tmp_path) == b""


@pytest.mark.parametrize("where", ["", "sub"], ids=["at the top", "in a subdirectory"])
@pytest.mark.parametrize(("before", "after"), TEXTS.values(), ids=TEXTS)
def test_git_takes_it(before: str, after: str, where: str, tmp_path: Path) -> None:
    here = tmp_path / where
    repository(tmp_path)
    made = change(here, "a.py", before, after)
    applied(tmp_path, here, patch([made], here))
    assert made.source.path.read_bytes() == after.encode()


@pytest.mark.parametrize("name", NAMES)
def test_git_takes_every_name(name: str, tmp_path: Path) -> None:
    repository(tmp_path)
    made = change(tmp_path, name, "a\n", "b\n")
    applied(tmp_path, tmp_path, patch([made], tmp_path))
    assert made.source.path.read_text() == "b\n"


def test_made_in_a_subdirectory_it_is_taken_at_the_top_with_files_beside(tmp_path: Path) -> None:
    repository(tmp_path)
    (tmp_path / "sub").mkdir()
    made = [change(tmp_path, name, "a\n", "b\n") for name in ("sub/a.py", "other/b.py")]
    applied(tmp_path, tmp_path, patch(made, tmp_path / "sub"))
    assert [one.source.path.read_text() for one in made] == ["b\n", "b\n"]


def test_outside_of_a_repository_it_is_taken_where_it_was_made(tmp_path: Path) -> None:
    made = change(tmp_path, "sub/a.py", "a\n", "b\n")
    text = patch([made], tmp_path)
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=text, check=True)
    assert made.source.path.read_text() == "b\n"


def test_bytes_of_other_encodings_go_through(tmp_path: Path) -> None:
    repository(tmp_path)
    made = change(tmp_path, "a.py", "x = 'é'\n", "y = 'é'\n", encoding="latin-1")
    applied(tmp_path, tmp_path, patch([made], tmp_path))
    assert made.source.path.read_bytes() == b"y = '\xe9'\n"


def repository(top: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=top, check=True)


def change(top: Path, name: str, before: str, after: str, encoding: str = "utf-8") -> FileChange:
    path = top / name
    path.parent.mkdir(parents=True, exist_ok=True)
    data = before.encode(encoding)
    path.write_bytes(data)
    source = SourceFile(path, name, data, before, lambda text: text.encode(encoding), top)
    return FileChange(source, after)


def applied(top: Path, here: Path, text: bytes) -> None:
    """Strictly: whitespace errors are not errors, but nothing may be fuzzy."""
    subprocess.run(["git", "add", "--all"], cwd=top, check=True)
    command = ["git", "apply", "--index", "--whitespace=nowarn", "-"]
    subprocess.run(command, cwd=here, input=text, check=True)
