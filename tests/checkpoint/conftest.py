"""Files that real flax wrote, from 0.1.0 to 0.5.3, each from its wheel in a process of its own."""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import jax
import pytest
from cases import CASES

from flax2optax.verify.reference import cache_folder

VERSIONS = {
    "0.1.0": "2f5c21e8006e938fdf37b2748a802403fe13e90d4691e59531c5c2fa2cf5f0d0",
    "0.2.2": "e24fd49226e432a44e3796737e9da203c7c41f8303b50fb0bc1c87641a07ffa6",
    "0.3.2": "599073b19e7c6f7091a4e2464c50e99d6eb265725f8bb9d2ceb667ed6237a3cb",
    "0.3.6": "8c1c3e181ed7f30aabe761b81bbfad1499173a5480ef5073082183b7469a9f0e",
    "0.5.3": "911dc4d6463ccba9808d303f44dfb4a0a6de277be8f3cbfda1471ed1a3e19374",
}
NEWEST = "0.5.3"
HERE = Path(__file__).parent


@pytest.fixture(scope="session", autouse=True)
def compiled_quickly() -> Iterator[None]:
    """The steps are tiny, compiling them is not."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One folder for each version: what it saved, and how it trained on. Without the wheels this fails."""
    top = tmp_path_factory.mktemp("written")
    return {version: write(version, top / version) for version in VERSIONS}


def write(version: str, folder: Path) -> Path:
    """Only the newest version trains disturbed parameters too: they train alike, so its rounding is everyone's."""
    folder.mkdir()
    cases = folder / "cases.json"
    cases.write_text(json.dumps([asdict(one) for one in CASES if version in one.versions]))
    command = [sys.executable, str(HERE / "old_flax.py"), str(wheel(version)), str(cases)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [*command, str(folder), "4" if version == NEWEST else "1"],
        env=environment | jax_settings(folder.parent),
        capture_output=True,
        text=True,
    )
    assert not done.returncode, done.stderr
    return folder


def jax_settings(folder: Path) -> dict[str, str]:
    """The versions compile the same operations: what one has compiled, the next one finds."""
    return {
        "JAX_PLATFORMS": "cpu",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }


def wheel(version: str) -> Path:
    """The wheel, fetched once by pip and checked whenever it is used."""
    name = f"flax-{version}-py3-none-any.whl"
    kept = cache_folder() / name
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
            requirement = Path(folder) / "requirements.txt"
            requirement.write_text(f"flax=={version} --hash=sha256:{VERSIONS[version]}\n")
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
            command += ["--require-hashes", "--only-binary=:all:", "--dest", folder, "-r"]
            subprocess.run([*command, str(requirement)], check=True)
            os.replace(Path(folder) / name, kept)
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == VERSIONS[version]
    return kept
