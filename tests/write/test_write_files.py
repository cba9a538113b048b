"""The write contract: wholly old or wholly new, all files of a flow or none, and nothing else touched."""

import os
import signal
import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from flax2optax.codemod.outcome import FileChange, FlowSummary
from flax2optax.codemod.source import SourceFile
from flax2optax.codemod.write import Written, atomic, rehearse, write
from flax2optax.codemod.write.atomic import signals_deferred
from flax2optax.codemod.write.groups import groups_of

GIT = [
    "git",
    "-c",
    "user.name=t",
    "-c",
    "user.email=t@example.org",
    "-c",
    "init.defaultBranch=main",
]


def test_a_file_that_changed_since_it_was_read_is_left_alone_and_so_is_its_flow(
    tmp_path: Path,
) -> None:
    a, b, c = (change(tmp_path, name) for name in "abc")
    (tmp_path / "a").write_text("somebody else\n")
    written, codes = put(tmp_path, [a, b, c], [flow("a", "b")])
    assert codes == ["FXO004"]
    assert contents(tmp_path) == {"a": "somebody else\n", "b": "old\n", "c": "new\n"}
    assert written.done == (c,)
    assert written.refused == (a, b)


def test_a_file_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    a = change(tmp_path, "a")
    (tmp_path / "a").unlink()
    _, codes = put(tmp_path, [a])
    assert codes == ["FXO005"]
    assert contents(tmp_path) == {}


def test_a_read_only_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = change(tmp_path, "a"), change(tmp_path, "b")
    monkeypatch.setattr(atomic.os, "access", lambda path, mode: Path(path).name != "b")
    _, codes = put(tmp_path, [a, b], [flow("a", "b")])
    assert codes == ["FXO005"]
    assert contents(tmp_path) == {"a": "old\n", "b": "old\n"}


def test_a_full_disk_leaves_every_file_of_the_flow_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, c = (change(tmp_path, name) for name in "abc")
    real, calls = os.replace, []

    def failing(source: str, target: Path) -> None:
        if Path(target).name in "abc":
            calls.append(target)
        if Path(target).name == "c":
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr(atomic.os, "replace", failing)
    _, codes = put(tmp_path, [a, b, c], [flow("a", "b"), flow("b", "c")])
    assert codes == ["FXO005"]
    assert len(calls) == 5
    assert contents(tmp_path) == {"a": "old\n", "b": "old\n", "c": "old\n"}


def test_text_that_the_encoding_lacks_refuses_the_flow_and_nothing_else(tmp_path: Path) -> None:
    a, b, c = (change(tmp_path, name) for name in "abc")
    bad = FileChange(source(tmp_path, "a", encoding="ascii"), "日本\n")
    written, codes = put(tmp_path, [bad, b, c], [flow("a", "b")])
    assert codes == ["FXO005"]
    assert contents(tmp_path) == {"a": "old\n", "b": "old\n", "c": "new\n"}
    assert rehearse([bad, b, c], [flow("a", "b")])[0].refused == written.refused == (bad, b)
    assert a.source.path == bad.source.path


def test_a_file_that_was_only_read_is_never_written(tmp_path: Path) -> None:
    a, b = change(tmp_path, "a"), change(tmp_path, "b")
    context = replace(a, source=replace(a.source, writable=False))
    _, codes = put(tmp_path, [context, b], [flow("a", "b")])
    assert codes == ["FXO005"]
    assert contents(tmp_path) == {"a": "old\n", "b": "old\n"}


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    put(tmp_path, [change(tmp_path, "a"), change(tmp_path, "b")], [flow("a", "b")])
    assert contents(tmp_path) == {"a": "new\n", "b": "new\n"}


def test_an_unchanged_file_keeps_its_mtime_and_inode(tmp_path: Path) -> None:
    same = FileChange(source(tmp_path, "a"), "old\n")
    before = (tmp_path / "a").stat()
    put(tmp_path, [same, change(tmp_path, "b")])
    after = (tmp_path / "a").stat()
    assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)


@pytest.mark.parametrize("mode", [0o644, 0o755, 0o600, 0o664, 0o4755])
def test_mode_bits_are_kept(mode: int, tmp_path: Path) -> None:
    a = change(tmp_path, "a")
    (tmp_path / "a").chmod(mode)
    put(tmp_path, [a])
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == mode


def test_an_interrupt_waits_until_the_exchange_is_done(tmp_path: Path) -> None:
    seen = []
    with pytest.raises(KeyboardInterrupt), signals_deferred():
        signal.raise_signal(signal.SIGINT)
        seen.append("went on")
    assert seen == ["went on"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_groups_are_joined_through_shared_files(tmp_path: Path) -> None:
    a, b, c, d = (change(tmp_path, name) for name in "abcd")
    assert groups_of([a, b, c, d], [flow("a", "c"), flow("c", "d")]) == [[a, c, d], [b]]
    refused = FlowSummary("f", ("a", "b"), 1, applied=False, form="explicit")
    assert groups_of([a, b], [refused]) == [[a], [b]]


def test_uncommitted_changes_are_not_written_over(tmp_path: Path) -> None:
    repository(tmp_path, "clean", "edited", "staged", "my edited file")
    (tmp_path / "edited").write_text("mine\n")
    (tmp_path / "my edited file").write_text("mine\n")
    (tmp_path / "staged").write_text("mine\n")
    subprocess.run([*GIT, "add", "staged"], cwd=tmp_path, check=True)
    (tmp_path / "untracked").write_text("old\n")
    names = ("clean", "edited", "staged", "my edited file", "untracked")
    changes = [FileChange(read(tmp_path, name), "new\n") for name in names]
    written, codes = put(tmp_path, changes)
    assert codes == ["FXO006"] * 3
    assert [one.source.path.name for one in written.done] == ["clean", "untracked"]
    _, codes = put(tmp_path, [c for c in changes if c not in written.done], allow_dirty=True)
    assert codes == []
    assert set(contents(tmp_path).values()) == {"new\n"}


def test_a_flow_with_one_dirty_file_is_not_written(tmp_path: Path) -> None:
    repository(tmp_path, "a", "b")
    (tmp_path / "a").write_text("mine\n")
    changes = [FileChange(read(tmp_path, name), "new\n") for name in "ab"]
    written, codes = put(tmp_path, changes, [flow("a", "b")])
    assert (written.done, codes) == ((), ["FXO006"])
    assert contents(tmp_path) == {"a": "mine\n", "b": "old\n"}


def test_where_git_cannot_tell_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".git").mkdir()
    a = change(tmp_path, "a")
    _, codes = put(tmp_path, [a])
    assert codes == ["FXO006"]
    monkeypatch.setenv("PATH", str(tmp_path))
    _, codes = put(tmp_path, [a])
    assert codes == ["FXO006"]
    assert contents(tmp_path) == {"a": "old\n"}


def test_a_state_folder_out_of_reach_costs_the_undo_and_not_the_run(tmp_path: Path) -> None:
    a = change(tmp_path, "a")
    (tmp_path / "state").write_text("a file in the way")
    written, codes = put(tmp_path, [a])
    assert (written.done, written.run, codes) == ((a,), None, [])


def repository(top: Path, *names: str) -> None:
    for name in names:
        (top / name).write_text("old\n")
    subprocess.run([*GIT, "init", "-q"], cwd=top, check=True)
    subprocess.run([*GIT, "add", "--all"], cwd=top, check=True)
    subprocess.run([*GIT, "commit", "-qm", "old"], cwd=top, check=True)


def source(top: Path, name: str, encoding: str = "utf-8") -> SourceFile:
    (top / name).write_text("old\n")
    return read(top, name, encoding)


def read(top: Path, name: str, encoding: str = "utf-8") -> SourceFile:
    path = top / name
    data = path.read_bytes()
    return SourceFile(path, name, data, data.decode(), lambda text: text.encode(encoding), top)


def change(top: Path, name: str) -> FileChange:
    return FileChange(source(top, name), "new\n")


def flow(*names: str) -> FlowSummary:
    return FlowSummary("-".join(names), names, 1, applied=True, form="explicit")


def put(
    top: Path, changes: list[FileChange], flows: list[FlowSummary] | None = None, **how: bool
) -> tuple[Written, list[str]]:
    written, problems = write(changes, flows or [], state=top / "state", **how)
    return written, [one.code for one in problems]


def contents(top: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in top.iterdir() if path.is_file()}
