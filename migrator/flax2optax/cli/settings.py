"""What the user wants: the flags over `[tool.flax2optax]` of the nearest pyproject.toml over the defaults."""

import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from flax2optax.cli.glance import config_start
from flax2optax.codemod.codes import CODES
from flax2optax.codemod.collect import Selection
from flax2optax.codemod.outcome import Form, Options
from flax2optax.codemod.summary import FORMATS

FORMS: tuple[Form, ...] = ("auto", "explicit", "state")


class SettingsError(Exception):
    """The configuration cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a flag and a key of the configuration can both say. Keys have dashes for underscores."""

    form: Form = "auto"
    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    unsafe_fixes: bool = False
    todo: bool = True
    exclude: tuple[str, ...] | None = None
    extend_exclude: tuple[str, ...] = ()
    force_exclude: bool = False
    respect_gitignore: bool = True
    notebooks: bool = True
    output_format: str = "full"

    def options(self) -> Options:
        """Return what the stages have to know."""
        select = None if self.select is None else _whole_codes(self.select)
        ignore = _whole_codes(self.ignore)
        return Options(self.form, self.unsafe_fixes, select, ignore, self.todo)

    def selection(self, base: Path) -> Selection:
        """Return which files are looked at; patterns are relative to `base`."""
        return Selection(
            base=base,
            exclude=self.exclude,
            extend_exclude=self.extend_exclude,
            force_exclude=self.force_exclude,
            respect_gitignore=self.respect_gitignore,
            notebooks=self.notebooks,
        )


def load_settings(
    flags: Mapping[str, Any], paths: Sequence[str], config: Path | None, *, isolated: bool
) -> tuple[Settings, Path]:
    """Return the settings and the folder that patterns are relative to. Raises SettingsError."""
    found = None if isolated else config or _nearest(paths)
    said = _read(found, required=config is not None) if found else {}
    given = {name: value for name, value in flags.items() if value is not None}
    settings = Settings(**(said | given))
    _whole_codes([*(settings.select or ()), *settings.ignore])
    base = found.parent if found and ("exclude" in said or "extend_exclude" in said) else Path()
    return settings, base.resolve()


def _nearest(paths: Sequence[str]) -> Path | None:
    """Return the nearest pyproject.toml that has our table."""
    start = Path(config_start(paths))
    for folder in (start, *start.parents):
        file = folder / "pyproject.toml"
        if file.is_file() and b"flax2optax" in file.read_bytes() and _table(file) is not None:
            return file
    return None


def _read(file: Path, *, required: bool) -> dict[str, Any]:
    table = _table(file)
    if table is None:
        if required:
            raise SettingsError(f"{file} has no [tool.flax2optax]")
        return {}
    return dict(_setting(file, key, value) for key, value in table.items())


def _table(file: Path) -> Mapping[str, Any] | None:
    try:
        table = tomllib.loads(file.read_text("utf-8")).get("tool", {}).get("flax2optax")
    except (OSError, ValueError) as problem:
        raise SettingsError(f"{file}: {problem}") from None
    return table if table is None or isinstance(table, dict) else {"": table}


def _setting(file: Path, key: str, value: object) -> tuple[str, Any]:
    name = key.replace("-", "_")
    reader = _READERS.get(name) if "_" not in key else None
    if reader is None:
        known = ", ".join(sorted(name.replace("_", "-") for name in _READERS))
        raise SettingsError(f"{file}: unknown key `{key}` in [tool.flax2optax]; known are {known}")
    try:
        return name, reader(value)
    except ValueError as problem:
        raise SettingsError(f"{file}: `{key}` in [tool.flax2optax] {problem}") from None


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _words(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise ValueError("must be a list of strings")
    return tuple(value)


def _one_of(choices: Sequence[object]) -> Callable[[object], str]:
    def read(value: object) -> str:
        if value not in choices:
            raise ValueError(f"must be one of {', '.join(map(str, choices))}")
        return str(value)

    return read


_BY_TYPE: Mapping[object, Callable[[object], Any]] = {bool: _flag}
_READERS: Mapping[str, Callable[[object], Any]] = {
    field.name: _BY_TYPE.get(field.type, _words) for field in fields(Settings)
} | {"form": _one_of(FORMS), "output_format": _one_of(FORMATS)}


def _whole_codes(prefixes: Iterable[str]) -> frozenset[str]:
    """Return the codes that begin with one of the prefixes, as in ruff; `ALL` is every code."""
    found: set[str] = set()
    for prefix in prefixes:
        known = {code for code in CODES if prefix == "ALL" or code.startswith(prefix)}
        if not known or not prefix:
            raise SettingsError(f"unknown code `{prefix}`")
        found |= known
    return frozenset(found)
