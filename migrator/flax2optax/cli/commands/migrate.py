"""`flax2optax [migrate] PATH...`."""

from typing import Any

import click

from flax2optax.cli.commands.choices import shared_choices
from flax2optax.cli.commands.start import make_request
from flax2optax.cli.request import Mode
from flax2optax.cli.session import execute


@click.command("migrate")
@click.option("--diff", is_flag=True, help="Write nothing; print a patch that `git apply` takes.")
@click.option("--check", is_flag=True, help="Write nothing; name the files that would change.")
@click.option("--allow-dirty", is_flag=True, help="Write files with uncommitted changes, too.")
@click.option("--exit-non-zero-on-fix", is_flag=True, help="Exit with 1 if a file was changed.")
@shared_choices
def command(diff: bool, check: bool, **given: Any) -> int:
    """Rewrite programs from flax.optim to Optax, in place.

    PATH is a file, a folder, or `-` for standard input to standard output.
    """
    if diff and check:
        raise click.UsageError("--diff and --check exclude each other")
    mode = Mode.DIFF if diff else Mode.NAMES if check else Mode.WRITE
    return execute(make_request(mode, **given))
