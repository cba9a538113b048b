"""The arguments and flags that `migrate`, `check` and `graph` share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from flax2optax.cli.settings import FORMS
from flax2optax.codemod.summary import FORMATS

Decorator = Callable[[Callable[..., int]], Callable[..., int]]


def _codes(
    context: click.Context, parameter: click.Parameter, value: tuple[str, ...]
) -> tuple[str, ...] | None:
    words = tuple(word.strip() for part in value for word in part.split(",") if word.strip())
    return words or None


def _some(
    context: click.Context, parameter: click.Parameter, value: tuple[str, ...]
) -> tuple[str, ...] | None:
    return value or None


_PATHS = click.Path(exists=True, allow_dash=True)

_FINDING: tuple[Any, ...] = (
    click.argument("paths", nargs=-1, required=True, type=_PATHS, metavar="PATH..."),
    click.option("--form", type=click.Choice(FORMS), help="How optimizers are written. [auto]"),
    click.option(
        "--select", multiple=True, callback=_codes, metavar="CODE,…", help="Only these codes."
    ),
    click.option(
        "--ignore", multiple=True, callback=_codes, metavar="CODE,…", help="All but these codes."
    ),
    click.option(
        "--unsafe-fixes/--no-unsafe-fixes",
        default=None,
        help="Apply edits that may change behaviour or drop a comment.",
    ),
)
_TODO = click.option("--todo/--no-todo", default=None, help="Mark in the code what needs you. [on]")
_FILES: tuple[Any, ...] = (
    click.option(
        "--exclude",
        multiple=True,
        callback=_some,
        metavar="PATTERN",
        help="In place of the folders that are skipped.",
    ),
    click.option(
        "--extend-exclude",
        multiple=True,
        callback=_some,
        metavar="PATTERN",
        help="Besides the folders that are skipped.",
    ),
    click.option(
        "--force-exclude/--no-force-exclude",
        default=None,
        help="Exclude files that are named themselves, too.",
    ),
    click.option(
        "--respect-gitignore/--no-respect-gitignore",
        default=None,
        help="Skip what git ignores. [on]",
    ),
    click.option("--notebooks/--no-notebooks", default=None, help="Look into notebooks. [on]"),
    click.option(
        "--stdin-filename", metavar="NAME", help="The name of the file that `-` stands for."
    ),
    click.option(
        "--config",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A TOML file with [tool.flax2optax].",
    ),
    click.option("--isolated", is_flag=True, help="Use no configuration file."),
)
_OUTPUT_FILE = click.option(
    "-o",
    "--output-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the report to a file.",
)
_REPORT: tuple[Any, ...] = (
    click.option(
        "--output-format", type=click.Choice(FORMATS), help="The format of the report. [full]"
    ),
    _OUTPUT_FILE,
    click.option("--statistics", is_flag=True, help="Count the findings by code."),
    click.option("--exit-zero", is_flag=True, help="Exit with 0 when findings remain."),
    click.option("-q", "--quiet", is_flag=True, help="Print findings and nothing else."),
    click.option("-v", "--verbose", is_flag=True, help="Tell what is read."),
    click.option(
        "--color",
        type=click.Choice(("auto", "always", "never")),
        default="auto",
        help="Colour the report. [auto]",
    ),
)


def shared_choices(function: Callable[..., int]) -> Callable[..., int]:
    """Give a command the arguments and flags of both commands, in the order of the help text."""
    return _given(function, (*_FINDING, _TODO, *_FILES, *_REPORT))


def picture_choices(function: Callable[..., int]) -> Callable[..., int]:
    """Give a command what decides about flows and files, and where its picture goes."""
    return _given(function, (*_FINDING, *_FILES, _OUTPUT_FILE))


def _given(function: Callable[..., int], choices: tuple[Any, ...]) -> Callable[..., int]:
    for choice in reversed(choices):
        function = choice(function)
    return function
