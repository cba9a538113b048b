"""Packages that use flax.optim: migrated as they were published, whole, and once."""

import filecmp
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from ecosystem_packages import read_manifest

MIGRATES = [one.name for one in read_manifest() if one.role == "migrates"]


def sources(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.py")}


@pytest.mark.parametrize("name", MIGRATES)
def test_nothing_is_refused(name, before, tool):
    done = tool("check", "--isolated", "--output-format", "json", ".", cwd=before(name))
    findings = json.loads(done.stdout)
    assert done.returncode == 1
    assert findings
    refused = [one for one in findings if one["state"] != "fixable"]
    assert refused == []


@pytest.mark.parametrize("name", MIGRATES)
def test_it_compiles_and_the_old_api_is_gone(name, before, after):
    old, new = sources(before(name)), sources(after(name))
    changed = [path for path in new if new[path] != old[path]]
    assert changed
    for path in changed:
        compile(new[path], path, "exec")
        assert b"apply_gradient(" not in new[path]
    assert [path for path in new if b"flax import optim" in new[path]] == []


@pytest.mark.parametrize("name", MIGRATES)
def test_a_second_run_plans_nothing(name, after, tool):
    done = tool("--isolated", "--diff", ".", cwd=after(name))
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", MIGRATES)
def test_git_takes_the_patch(name, before, after, tool, tmp_path):
    copy = shutil.copytree(before(name), tmp_path / "copy")
    patch = tool("--isolated", "--diff", ".", cwd=copy).stdout
    command = ["git", "apply", "--whitespace=nowarn", "-"]
    subprocess.run(command, input=patch, text=True, cwd=copy, check=True)
    paths = list(sources(copy))
    assert filecmp.cmpfiles(copy, after(name), paths, shallow=False) == (paths, [], [])
