"""Where the programs run: what is not there or too old first, then what there is."""

import json
import sys
import tomllib
from pathlib import Path

import pytest

from flax2optax.cli import main
from flax2optax.verify import environment
from flax2optax.verify.environment import NEEDED, check_versions, platforms
from flax2optax.verify.outcome import CannotRunError

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def python_with(folder: Path, line: str) -> str:
    """Another Python: this one, after a line of shell."""
    script = folder / "python"
    script.write_text(f'#!/bin/sh\n{line}\nexec {sys.executable} "$@"\n')
    script.chmod(0o755)
    return str(script)


def package(folder: Path, name: str, version: str) -> str:
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")
    return str(folder)


def test_a_jax_that_is_too_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(package(tmp_path, "jax", "0.4.13"))
    assert main(["verify", ".", "--", "true"]) == 2
    message = "jax 0.4.13 is not supported; verify needs jax 0.5.1 or later."
    assert message in capsys.readouterr().err


def test_another_python_with_an_optax_that_is_too_old(tmp_path: Path) -> None:
    folder = package(tmp_path, "optax", "0.2.1")
    python = python_with(tmp_path, f"export PYTHONPATH={folder}:$PYTHONPATH")
    with pytest.raises(CannotRunError, match=r"optax 0\.2\.1 is not supported; verify needs opt"):
        check_versions(python)


def test_another_python_without_jax(tmp_path: Path) -> None:
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho '{}'\n")
    script.chmod(0o755)
    with pytest.raises(CannotRunError, match=r"python has no jax; verify needs jax, flax and opt"):
        check_versions(str(script))


@pytest.mark.parametrize(
    ("line", "message"),
    [(None, "cannot be run: No such file"), ("exit 3", "cannot be asked for its packages")],
)
def test_another_python_that_does_not_run(
    tmp_path: Path, line: str | None, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    python = python_with(tmp_path, line) if line else str(tmp_path / "gone")
    assert main(["verify", ".", "--python", python, "--", "true"]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["gpu", "tpu"])
def test_a_kind_of_device_that_is_not_there(
    kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(environment, "ASK_DEVICES", "print('cpu')")
    words = ["verify", ".", "--platform", kind, "--output-format", "json", "--", "true"]
    assert main(words) == 2
    found = json.loads(capsys.readouterr().out)
    assert found["answer"] == "not run"
    assert found["sentence"] == f"There is no {kind} here; jax finds cpu."


def test_devices_are_forced_on_cpu_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", ".", "--platform", "gpu", "--devices", "2", "--", "true"]) == 2
    assert "--devices forces CPU devices; it goes with --platform cpu" in capsys.readouterr().err


def test_versions_that_are_needed_are_those_of_the_extra() -> None:
    extras = tomllib.loads(PROJECT.read_text())["project"]["optional-dependencies"]
    assert extras["verify"] == [f"{name}>={version}" for name, version in NEEDED.items()]


@pytest.mark.parametrize("version", ["0.5.1", "0.5.1.dev3", "0.10.2", "1.0"])
def test_a_jax_that_is_new_enough(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(package(tmp_path, "jax", version))
    check_versions(sys.executable)


def test_all_kinds_are_asked_of_jax_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("JAX_PLATFORMS", "none-such")
    assert "cpu" in platforms("all", sys.executable)


def test_each_kind_has_a_report_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(environment, "ASK_DEVICES", "print('cpu', 'tpu')")
    page = tmp_path / "page.html"
    missing = str(tmp_path / "missing")
    words = ["verify", missing, "--platform", "all", "--html", str(page), "--", "true"]
    assert main([*words[:-2], "--output-format", "json", *words[-2:]]) == 2
    reports = json.loads(capsys.readouterr().out)
    assert [one["sentence"] for one in reports] == [f"{missing} does not exist."] * 2
    assert main(words) == 2
    told = capsys.readouterr().out
    assert [one for one in ("cpu: ? not run", "gpu: ", "tpu: ? not run") if one in told] == [
        "cpu: ? not run",
        "tpu: ? not run",
    ]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["page-cpu.html", "page-tpu.html"]
