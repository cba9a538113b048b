"""Real packages of the package index, pinned in manifest.json: fetched once, checked, unpacked beside each other."""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from flax2optax.verify.reference import cache_folder

MANIFEST = Path(__file__).with_name("manifest.json")


@dataclass(frozen=True, slots=True)
class Package:
    """One pinned wheel; `role` is `migrates` or `untouched`."""

    name: str
    version: str
    sha256: str
    role: str
    why: str

    @property
    def requirement(self) -> str:
        return f"{self.name}=={self.version}"


def read_manifest() -> list[Package]:
    """Every pinned package."""
    entries = json.loads(MANIFEST.read_text("utf-8"))
    return [Package(name=name, **facts) for name, facts in entries.items()]


def unpack(package: Package, folder: Path) -> Path:
    """The package's files below `folder`, from its checked wheel; a wheel that cannot be had is an error."""
    with zipfile.ZipFile(_fetch(package)) as archive:
        archive.extractall(folder)
    return folder


def _fetch(package: Package) -> Path:
    """The checked wheel from the cache; pip fetches it first where it is not there yet."""
    cache = cache_folder() / "ecosystem"
    wheel = cache / f"{package.name}-{package.version}.whl"
    if not wheel.exists():
        _download(package, wheel)
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert found == package.sha256, f"{wheel} is not {package.requirement}: sha256 {found}"
    return wheel


def _download(package: Package, wheel: Path) -> None:
    """Into a folder beside the cached file first, so that the cache never holds half a wheel."""
    wheel.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=wheel.parent) as folder:
        requirement = Path(folder) / "requirements.txt"
        requirement.write_text(f"{package.requirement} --hash=sha256:{package.sha256}\n")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--require-hashes", "--only-binary=:all:", "--dest", folder, "-r"]
        done = subprocess.run([*command, str(requirement)], capture_output=True, text=True)
        assert not done.returncode, f"pip could not fetch {package.requirement}:\n{done.stderr}"
        (downloaded,) = Path(folder).glob("*.whl")
        os.replace(downloaded, wheel)
