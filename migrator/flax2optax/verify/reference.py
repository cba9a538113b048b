"""The reference: the real `flax/optim` of the flax 0.5.3 wheel, served beside the installed flax and jax.

The wheel comes from the package index through pip, once, and is checked against its sha256 whenever it is read.
Its modules are imported from memory; nothing is unpacked or installed.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Final

VERSION: Final = "0.5.3"
SHA256: Final = "911dc4d6463ccba9808d303f44dfb4a0a6de277be8f3cbfda1471ed1a3e19374"
WHEEL: Final = f"flax-{VERSION}-py3-none-any.whl"
SERVED: Final = "flax.optim"
REMOVED_ALIASES: Final = {
    "tree_flatten": "tree_flatten",
    "tree_unflatten": "tree_unflatten",
    "tree_structure": "tree_structure",
    "tree_leaves": "tree_leaves",
    "tree_map": "tree_map",
    "tree_multimap": "tree_map",
}
DEPRECATIONS: Final = ("Use `optax` instead of `flax.optim`", "`flax.traverse_util.Traversal` will")

# float64 decides (a float32 run hides small mistakes), so the served copy must not round to float32 on its way.
# Neither patch changes a program whose parameters are float32 or narrower.
WIDEN: Final = """
def _widen(hyper_params, target):
  dtypes = [getattr(x, 'dtype', None) for x in jax.tree_util.tree_leaves(target)]
  if jnp.float64 not in dtypes:
    return hyper_params
  is_narrow = lambda x: getattr(x, 'dtype', None) == jnp.float32
  return jax.tree_util.tree_map(
      lambda x: x.astype(jnp.float64) if is_narrow(x) else x, hyper_params)
"""
PATCHES: Final[Mapping[str, Sequence[tuple[str, str]]]] = {
    "flax.optim.adafactor": (
        (
            "grad = grad.astype(jnp.float32)",
            "grad = grad.astype(jnp.promote_types(grad.dtype, jnp.float32))",
        ),
        ("shape, dtype=jnp.float32)", "shape, dtype=jnp.promote_types(param.dtype, jnp.float32))"),
    ),
    "flax.optim.base": (
        ("class OptimizerDef:", WIDEN + "\n\nclass OptimizerDef:"),
        (
            "        **hyper_param_overrides)\n    new_target",
            "        **hyper_param_overrides)\n    hyper_params = _widen(hyper_params, self.target)\n    new_target",
        ),
    ),
}


class ReferenceUnavailableError(Exception):
    """The wheel cannot be had, or is not the one that was asked for; the message says why."""


def cache_folder() -> Path:
    """Where the wheel is kept: `FLAX2OPTAX_CACHE`, or flax2optax in the user's cache folder."""
    if chosen := os.environ.get("FLAX2OPTAX_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "flax2optax"


def fetch(folder: Path | None = None) -> Path:
    """The checked wheel, from `folder` or the cache; downloaded first where it is not there yet."""
    wheel = (folder or cache_folder()) / WHEEL
    if not wheel.exists():
        _download(wheel)
    _check(wheel)
    return wheel


def find(place: Path | None) -> Path:
    """The checked wheel: a file, the one in a folder, or where there is no place the one in the cache."""
    if place is None:
        return fetch()
    wheel = place / WHEEL if place.is_dir() else place
    _check(wheel)
    return wheel


@contextmanager
def serve(wheel: Path | None = None) -> Iterator[ModuleType]:
    """Make `flax.optim` importable, with the `jax.tree_*` aliases it needs, until the block ends."""
    flax, jax = import_module("flax"), import_module("jax")
    path = fetch() if wheel is None else wheel
    _check(path)
    finder = _ReferenceFinder(_sources(path))
    outer = vars(flax).get("optim")
    with _aliases(jax), _set_aside(), warnings.catch_warnings():
        sys.meta_path.insert(0, finder)
        try:
            vars(flax)["optim"] = optim = import_module(SERVED)
            for message in DEPRECATIONS:
                warnings.filterwarnings("ignore", message=message, category=DeprecationWarning)
            yield optim
        finally:
            sys.meta_path.remove(finder)
            vars(flax).pop("optim", None)
            if outer is not None:
                vars(flax)["optim"] = outer


class _ReferenceLoader(InspectLoader):
    """Imports one module from the text it is given."""

    def __init__(self, source: str, package: bool) -> None:
        self.source = source
        self.package = package

    def get_source(self, fullname: str) -> str:
        return self.source

    def is_package(self, fullname: str) -> bool:
        return self.package


class _ReferenceFinder(MetaPathFinder):
    """Finds the modules of the served package and nothing else."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self.sources = sources

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self.sources:
            return None
        loader = _ReferenceLoader(self.sources[fullname], fullname == SERVED)
        return spec_from_loader(fullname, loader)


def _sources(wheel: Path) -> dict[str, str]:
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.startswith("flax/optim/")]
        return {_module(name): _patched(_module(name), archive.read(name)) for name in names}


def _module(name: str) -> str:
    return name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _patched(module: str, source: bytes) -> str:
    text = source.decode()
    for old, new in PATCHES.get(module, ()):
        if old not in text:
            raise ReferenceUnavailableError(f"{module} is not the text that was expected")
        text = text.replace(old, new)
    return text


@contextmanager
def _aliases(jax: ModuleType) -> Iterator[None]:
    before = {name: vars(jax)[name] for name in REMOVED_ALIASES if name in vars(jax)}
    vars(jax).update({old: getattr(jax.tree_util, new) for old, new in REMOVED_ALIASES.items()})
    try:
        yield
    finally:
        for name in REMOVED_ALIASES:
            del vars(jax)[name]
        vars(jax).update(before)


@contextmanager
def _set_aside() -> Iterator[None]:
    """Forget whatever is imported as `flax.optim`, and put it back afterwards."""
    before = _loaded()
    for name in before:
        del sys.modules[name]
    try:
        yield
    finally:
        for name in _loaded():
            del sys.modules[name]
        sys.modules.update(before)


def _loaded() -> dict[str, ModuleType]:
    return {
        name: module
        for name, module in sys.modules.items()
        if name == SERVED or name.startswith(SERVED + ".")
    }


def _check(wheel: Path) -> None:
    try:
        found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    except OSError as error:
        raise ReferenceUnavailableError(f"cannot read {wheel}: {error.strerror}") from error
    if found != SHA256:
        raise ReferenceUnavailableError(
            f"{wheel} is not flax {VERSION}: sha256 {found}, expected {SHA256}"
        )


def _download(wheel: Path) -> None:
    """Into a folder beside the target first, so that the cache never holds half a wheel."""
    with suppress(FileExistsError):
        wheel.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=wheel.parent) as folder:
        requirement = Path(folder) / "requirements.txt"
        requirement.write_text(f"flax=={VERSION} --hash=sha256:{SHA256}\n")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--require-hashes", "--only-binary=:all:", "--dest", folder, "-r"]
        done = subprocess.run([*command, str(requirement)], capture_output=True, text=True)
        if done.returncode:
            raise ReferenceUnavailableError(
                f"pip could not fetch the reference, flax {VERSION}: {_last_line(done.stderr)}"
            )
        os.replace(Path(folder) / WHEEL, wheel)


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no reason given"
