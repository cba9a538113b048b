"""Which files are found, and which are passed over."""

import os
from pathlib import Path

import pytest

from flax2optax.codemod.collect import Collected, Selection, collect
from flax2optax.codemod.diagnostic import Diagnostic
from flax2optax.codemod.source import SourceFile

CODE = "from flax import optim\n"

PASSED_OVER = {
    "a virtual environment by name": {"venv/a.py": CODE},
    "a virtual environment by its mark": {"env39/pyvenv.cfg": "", "env39/a.py": CODE},
    "a conda environment": {"miniconda/conda-meta/history": "", "miniconda/a.py": CODE},
    "site-packages": {"lib/site-packages/flax/optim.py": CODE},
    "node_modules": {"node_modules/x/a.py": CODE},
    "build": {"build/lib/a.py": CODE},
    "dist": {"dist/a.py": CODE},
    "tox": {".tox/py311/a.py": CODE},
    "another language": {"a.txt": CODE, "a.md": CODE},
    "ignored by name": {".git/HEAD": "", ".gitignore": "a.py\n", "a.py": CODE},
    "ignored folder": {".git/HEAD": "", ".gitignore": "out/\n", "out/a.py": CODE},
    "ignored by a nested file": {".git/HEAD": "", "b/.gitignore": "/a.py\n", "b/a.py": CODE},
    "ignored for this clone only": {".git/info/exclude": "a.py\n", "a.py": CODE},
    "an editor's lock": {"x.txt": "", ".#a.py": None},
}

FOUND = {
    "plain": ({"a.py": CODE}, ["a.py"]),
    "a stub and a notebook": (
        {
            "a.pyi": CODE,
            "b.ipynb": '{"cells": [{"cell_type": "code", "source": "import flax.optim"}]}',
        },
        ["a.pyi", "b.ipynb"],
    ),
    "a deeper file takes an ignore back": (
        {
            ".git/HEAD": "",
            ".gitignore": "*.py\n",
            "b/.gitignore": "!a.py\n",
            "b/a.py": CODE,
            "c.py": CODE,
        },
        ["b/a.py"],
    ),
    "another repository inside": (
        {".git/HEAD": "", ".gitignore": "a.py\n", "sub/.git/HEAD": "", "sub/a.py": CODE},
        ["sub/a.py"],
    ),
    "anchored patterns are anchored": (
        {".git/HEAD": "", ".gitignore": "/a.py\n", "a.py": CODE, "b/a.py": CODE},
        ["b/a.py"],
    ),
    "no repository at all": ({".gitignore": "a.py\n", "a.py": CODE, "b.py": CODE}, ["b.py"]),
}


def test_table_of_trees_is_read_as_meant(tmp_path: Path) -> None:
    assert names(tmp_path, {"a.py": CODE, "venv/b.py": CODE}) == ["a.py"]


@pytest.mark.parametrize("tree", PASSED_OVER.values(), ids=PASSED_OVER)
def test_passes_over(tree: dict[str, str | None], tmp_path: Path) -> None:
    assert names(tmp_path, tree) == []


@pytest.mark.parametrize(("tree", "expected"), FOUND.values(), ids=FOUND)
def test_finds(tree: dict[str, str | None], expected: list[str], tmp_path: Path) -> None:
    assert names(tmp_path, tree) == expected


def test_a_folder_behind_a_link_is_not_entered(tmp_path: Path) -> None:
    plant(tmp_path / "elsewhere", {"a.py": CODE})
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "here" / "loop").symlink_to(tmp_path / "here")
    assert found(tmp_path / "here").candidates == ()


def test_a_file_behind_a_link_is_read_once_as_what_it_is(tmp_path: Path) -> None:
    plant(tmp_path, {"real.py": CODE})
    (tmp_path / "link.py").symlink_to("real.py")
    (one,) = found(tmp_path).candidates
    assert one.path == tmp_path / "real.py"


def test_a_link_to_nowhere_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a.py").symlink_to("nowhere.py")
    _, problems = collect([str(tmp_path)], Selection(tmp_path))
    assert [one.code for one in problems] == ["FXO001"]


def test_a_file_that_cannot_be_read_is_reported_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(tmp_path, {"a.py": CODE, "b.py": CODE})
    real = open

    def guarded(path: str, *rest: object, **more: object) -> object:
        if str(path).endswith("a.py"):
            raise PermissionError(13, "Permission denied", path)
        return real(path, *rest, **more)  # type: ignore[call-overload]

    monkeypatch.setattr("builtins.open", guarded)
    collected, problems = collect([str(tmp_path)], Selection(tmp_path))
    assert [(one.code, Path(one.location.path).name) for one in problems] == [("FXO001", "a.py")]
    assert [one.path.name for one in collected.candidates] == ["b.py"]


def test_a_named_folder_is_entered_though_it_is_ignored_or_a_build(tmp_path: Path) -> None:
    plant(tmp_path, {".git/HEAD": "", ".gitignore": "out/\n", "out/a.py": CODE, "build/b.py": CODE})
    assert len(found(tmp_path / "out").candidates) == 1
    assert len(found(tmp_path / "build").candidates) == 1


def test_patterns_above_the_named_folder_hold_in_it(tmp_path: Path) -> None:
    plant(
        tmp_path,
        {".git/HEAD": "", ".gitignore": "*_pb.py\n", "src/a_pb.py": CODE, "src/a.py": CODE},
    )
    assert [one.path.name for one in found(tmp_path / "src").candidates] == ["a.py"]


def test_a_named_file_is_read_though_it_is_ignored_unless_exclusion_is_forced(
    tmp_path: Path,
) -> None:
    plant(tmp_path, {"old/a.py": CODE})
    file = str(tmp_path / "old" / "a.py")
    named = Selection(tmp_path, extend_exclude=("old/",))
    forced = Selection(tmp_path, extend_exclude=("old/",), force_exclude=True)
    assert collect([file], named)[0].candidates
    assert not collect([file], forced)[0].candidates


def test_exclude_replaces_and_extend_exclude_adds(tmp_path: Path) -> None:
    plant(tmp_path, {"build/a.py": CODE, "old/b.py": CODE, "new/c.py": CODE})
    replaced = found(tmp_path, exclude=("old",))
    added = found(tmp_path, extend_exclude=("old",))
    assert [one.path.name for one in replaced.candidates] == ["a.py", "c.py"]
    assert [one.path.name for one in added.candidates] == ["c.py"]


def test_without_gitignore_and_without_notebooks(tmp_path: Path) -> None:
    notebook = '{"cells": [{"cell_type": "code", "source": "import flax.optim"}]}'
    plant(tmp_path, {".git/HEAD": "", ".gitignore": "a.py\n", "a.py": CODE, "b.ipynb": notebook})
    all_of_it = found(tmp_path, respect_gitignore=False)
    assert [one.path.name for one in all_of_it.candidates] == ["a.py", "b.ipynb"]
    assert found(tmp_path, notebooks=False).candidates == ()


def test_a_script_without_an_ending_is_python_and_a_text_is_skipped_aloud(tmp_path: Path) -> None:
    plant(tmp_path, {"train": "#!/usr/bin/env python3\n" + CODE, "README.md": CODE})
    collected, _ = collect(
        [str(tmp_path / "train"), str(tmp_path / "README.md")], Selection(tmp_path)
    )
    assert [one.path.name for one in collected.candidates] == ["train"]
    assert collected.skipped == (str(tmp_path / "README.md"),)


def test_paths_are_shown_as_they_were_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(tmp_path, {"src/a.py": CODE, "b.py": CODE})
    monkeypatch.chdir(tmp_path)
    collected, _ = collect([".", "./src/../b.py"], Selection(tmp_path))
    assert [one.display for one in collected.candidates] == ["b.py", "src/a.py"]


def test_the_rest_of_the_project_is_context_that_is_never_written(tmp_path: Path) -> None:
    plant(tmp_path, {".git/HEAD": "", "a.py": CODE, "pkg/b.py": "x = 1\n"})
    (tmp_path / "pkg" / "c.py").write_bytes(b"\xe9")
    collected, _ = collect([str(tmp_path / "a.py")], Selection(tmp_path))
    project = collected.projects[tmp_path]
    assert sorted(path.name for path in project.paths) == ["a.py", "b.py", "c.py"]
    context, named, bad = (
        project.read(tmp_path / name) for name in ("pkg/b.py", "a.py", "pkg/c.py")
    )
    assert isinstance(context, SourceFile) and not context.writable and context.text == "x = 1\n"
    assert isinstance(named, SourceFile) and named.writable
    assert isinstance(bad, Diagnostic) and bad.code == "FXO002"


@pytest.mark.parametrize(
    ("tree", "root"),
    [
        ({".git/HEAD": "", "pkg/pyproject.toml": "", "pkg/a.py": CODE}, "."),
        ({"pkg/pyproject.toml": "", "pkg/sub/a.py": CODE}, "pkg"),
        ({"pkg/setup.py": "", "pkg/sub/a.py": CODE}, "pkg"),
        ({"pkg/sub/a.py": CODE}, "."),
    ],
    ids=["repository", "pyproject", "setup", "the folder given"],
)
def test_the_project_root(tree: dict[str, str], root: str, tmp_path: Path) -> None:
    plant(tmp_path, tree)
    (one,) = found(tmp_path).candidates
    assert one.root == (tmp_path / root).resolve()


def plant(top: Path, tree: dict[str, str | None]) -> None:
    for name, text in tree.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            os.symlink("user@host.1234", path)
        else:
            path.write_text(text)


def found(path: Path, **selection: object) -> Collected:
    collected, problems = collect([str(path)], Selection(path.parent, **selection))  # type: ignore[arg-type]
    assert problems == ()
    return collected


def names(top: Path, tree: dict[str, str | None]) -> list[str]:
    plant(top, tree)
    return [one.path.relative_to(top).as_posix() for one in found(top).candidates]
