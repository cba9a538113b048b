"""Packages with names that look like flax.optim's: nothing is found in them, and nothing is written."""

import pytest
from ecosystem_packages import read_manifest

UNTOUCHED = [one for one in read_manifest() if one.role == "untouched"]


@pytest.mark.parametrize("package", UNTOUCHED, ids=lambda one: f"{one.name}: {one.why}")
def test_nothing_is_found(package, before, tool):
    done = tool("--isolated", "--diff", ".", cwd=before(package.name))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == ""
