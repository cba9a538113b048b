"""`flax2optax check PATH...`."""

from typing import Any

import click

from flax2optax.cli.commands.choices import shared_choices
from flax2optax.cli.commands.start import make_request
from flax2optax.cli.request import Mode
from flax2optax.cli.session import execute


@click.command("check")
@shared_choices
def command(**given: Any) -> int:
    """Report what is to be migrated; write nothing."""
    return execute(make_request(Mode.REPORT, **given))
