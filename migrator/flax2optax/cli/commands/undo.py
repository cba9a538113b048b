"""`flax2optax undo [RUN]`."""

from pathlib import Path

import click

from flax2optax.codemod.write.journal import runs, state_folder
from flax2optax.codemod.write.undo import UndoError, undo


@click.command("undo")
@click.argument("run", required=False)
@click.option("--list", "listing", is_flag=True, help="Name the runs that can be undone.")
def command(run: str | None, listing: bool) -> int:
    """Put back the bytes of RUN, or of the newest run that wrote below the current folder."""
    if listing:
        for folder, record in runs(state_folder()):
            click.echo(f"{folder.name}  {len(record['files'])} files  {record['folder']}")
        return 0
    try:
        done = undo(state_folder(), Path.cwd().resolve(), run)
    except UndoError as problem:
        raise click.ClickException(str(problem)) from None
    for path in done.files:
        click.echo(f"put back {path}")
    return 0
