"""`flax2optax graph PATH...`."""

from typing import Any

import click

from flax2optax.cli.commands.choices import picture_choices
from flax2optax.cli.commands.start import make_request
from flax2optax.cli.drawing import draw
from flax2optax.cli.request import Mode
from flax2optax.codemod.graph import FORMATS


@click.command("graph")
@click.option(
    "--output-format",
    "picture",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="Text to read, or a picture for Graphviz (dot) or Mermaid.",
)
@picture_choices
def command(picture: str, **given: Any) -> int:
    """Show the way of each optimizer through the program; write nothing.

    Where it is made, which functions, fields and modules it passes, where it is stepped,
    whether it migrates, and what stops it if it does not.
    """
    return draw(make_request(Mode.REPORT, color="never", **given), picture)
