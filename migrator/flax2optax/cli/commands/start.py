"""From click's values to a `Request`."""

import os
import sys
from pathlib import Path
from typing import Any

import click

from flax2optax.cli.request import Mode, Request
from flax2optax.cli.settings import Settings, SettingsError, load_settings
from flax2optax.codemod.collect import STDIN

_SETTINGS = frozenset(Settings.__dataclass_fields__)
_APART = frozenset({"config", "isolated", "color", "stdin_filename"})


def make_request(mode: Mode, paths: tuple[str, ...], **given: Any) -> Request:
    """Return the request; flags that are also keys of the configuration become settings."""
    if STDIN in paths and len(paths) > 1:
        raise click.UsageError("`-` cannot be mixed with paths")
    name = given["stdin_filename"]
    flags = {key: value for key, value in given.items() if key in _SETTINGS}
    rest = {key: value for key, value in given.items() if key not in _SETTINGS | _APART}
    places = [name or STDIN] if paths == (STDIN,) else paths
    settings, base = _settings(flags, places, given["config"], isolated=given["isolated"])
    color = _colored(given["color"], rest["output_file"])
    return Request(paths, mode, settings, base, name, color=color, **rest)


def _settings(
    flags: dict[str, Any], paths: Any, config: Path | None, *, isolated: bool
) -> tuple[Settings, Path]:
    try:
        return load_settings(flags, paths, config, isolated=isolated)
    except SettingsError as problem:
        raise click.UsageError(str(problem)) from None


def _colored(wish: str, output_file: Path | None) -> bool:
    if wish != "auto":
        return wish == "always"
    if output_file is not None or os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or sys.stdout.isatty()
