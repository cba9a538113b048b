"""The whole command line: click's groups over the table of commands, and one exit code for every way out."""

import gc
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import cast

import click

from flax2optax import __version__
from flax2optax.cli.table import COMMANDS, DEFAULT

BAD_USAGE = 2
OBJECTS_BETWEEN_COLLECTIONS = 20_000
INTERRUPTED = 130


class _Table(click.Group):
    """Finds commands by name, and takes what is no command for paths."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"flax2optax.cli.commands.{cmd_name}")
        return cast(click.Command, module.command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = {"--help", "-h", "--version"}
        if args and args[0] not in COMMANDS and args[0] not in own:
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Table, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="flax2optax")
def program() -> None:
    """Migrate whole programs from flax.optim to Optax.

    `flax2optax PATH...` is `flax2optax migrate PATH...`; a path that is named like a command follows `--`.
    """


def run(arguments: Sequence[str]) -> int:
    """Run the command line; every way out is an exit code."""
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)  # trees are many objects and no cycles
    try:
        code = program.main(list(arguments), prog_name="flax2optax", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.Abort:
        return INTERRUPTED
    except KeyboardInterrupt:
        return INTERRUPTED
    except click.ClickException as problem:
        problem.show()
        return BAD_USAGE
    except BrokenPipeError:
        return _reader_gone()
    except Exception:
        traceback.print_exc(limit=-12)
        click.echo("flax2optax: this is a bug in flax2optax, please report it", err=True)
        return BAD_USAGE


def _reader_gone() -> int:
    """The reader of a pipe has seen enough. What is still buffered must not raise when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
