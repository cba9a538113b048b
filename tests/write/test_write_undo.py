"""The journal and undo."""

import json
from pathlib import Path

import pytest

from flax2optax.codemod.outcome import FileChange
from flax2optax.codemod.source import SourceFile
from flax2optax.codemod.write import journal, write
from flax2optax.codemod.write.journal import Journal, runs, state_folder
from flax2optax.codemod.write.undo import UndoError, undo


def test_nothing_to_undo_is_said(tmp_path: Path) -> None:
    with pytest.raises(UndoError, match="no run has written below"):
        undo(tmp_path / "state", tmp_path)


def test_an_unknown_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(UndoError, match="no run named x"):
        undo(tmp_path / "state", tmp_path, "x")


def test_a_run_elsewhere_is_not_undone_unasked(tmp_path: Path) -> None:
    run = migrated(tmp_path, "there/a")
    (tmp_path / "here").mkdir()
    with pytest.raises(UndoError):
        undo(tmp_path / "state", tmp_path / "here")
    assert undo(tmp_path / "state", tmp_path / "here", run).run == run


def test_a_file_edited_since_keeps_the_whole_run_as_it_is(tmp_path: Path) -> None:
    migrated(tmp_path, "a", "b")
    (tmp_path / "b").write_text("edited")
    with pytest.raises(UndoError, match="it changed since"):
        undo(tmp_path / "state", tmp_path)
    assert (tmp_path / "a").read_text() == "new"


def test_a_run_without_changes_leaves_no_journal(tmp_path: Path) -> None:
    migrated(tmp_path, "a", text="old")
    assert list(runs(tmp_path / "state")) == []


def test_bytes_come_back_once(tmp_path: Path) -> None:
    migrated(tmp_path, "a", "b/c")
    done = undo(tmp_path / "state", tmp_path)
    assert {path.name for path in done.files} == {"a", "c"}
    assert [(tmp_path / name).read_bytes() for name in ("a", "b/c")] == [b"old", b"old"]
    with pytest.raises(UndoError):
        undo(tmp_path / "state", tmp_path)


def test_runs_are_undone_from_the_newest(tmp_path: Path) -> None:
    migrated(tmp_path, "a", text="second")
    migrated(tmp_path, "a", text="third")
    undo(tmp_path / "state", tmp_path)
    assert (tmp_path / "a").read_text() == "second"
    undo(tmp_path / "state", tmp_path)
    assert (tmp_path / "a").read_text() == "old"


def test_a_run_that_was_killed_between_two_files_is_undone(tmp_path: Path) -> None:
    """What a kill leaves: the record says which files were meant, and one of them has its new bytes."""
    changes = [change(tmp_path, name, "new") for name in "ab"]
    files = [journal.Replacement(one.source.path, b"old", b"new") for one in changes]
    Journal.begin(tmp_path / "state", files)
    (tmp_path / "a").write_text("new")
    done = undo(tmp_path / "state", tmp_path)
    assert [path.name for path in done.files] == ["a"]
    assert [(tmp_path / name).read_text() for name in "ab"] == ["old", "old"]


def test_a_record_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    run = migrated(tmp_path, "a")
    (tmp_path / "state" / "runs" / run / "run.json").write_text("{")
    assert list(runs(tmp_path / "state")) == []


def test_old_runs_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "_KEPT", 2)
    names = [migrated(tmp_path, "a", text=str(number)) for number in range(4)]
    assert sorted(folder.name for folder, _ in runs(tmp_path / "state")) == names[2:]


def test_the_record_is_plain(tmp_path: Path) -> None:
    run = migrated(tmp_path, "a")
    record = json.loads((tmp_path / "state" / "runs" / run / "run.json").read_text())
    assert record["finished"] and not record["undone"]
    assert [entry["path"] for entry in record["files"]] == [str(tmp_path / "a")]


def test_where_the_state_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert state_folder() == tmp_path / "flax2optax"
    monkeypatch.setenv("XDG_STATE_HOME", "not/absolute")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert state_folder() == tmp_path / ".local" / "state" / "flax2optax"


def change(top: Path, name: str, text: str) -> FileChange:
    path = top / name
    path.parent.mkdir(exist_ok=True)
    if not path.exists():
        path.write_text("old")
    data = path.read_bytes()
    return FileChange(SourceFile(path, name, data, data.decode(), str.encode, top), text)


def migrated(top: Path, *names: str, text: str = "new") -> str:
    changes = [change(top, name, text) for name in names]
    written, problems = write(changes, [], state=top / "state")
    assert problems == ()
    return written.run or ""
