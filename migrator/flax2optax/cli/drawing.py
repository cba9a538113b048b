"""One run of `graph`: collect, analyse and decide as `check` does, then draw."""

import sys

import click

from flax2optax.cli.request import Request
from flax2optax.cli.session import gather
from flax2optax.codemod.diagnostic import Diagnostic
from flax2optax.codemod.graph import Graph, render
from flax2optax.codemod.graph.shape import Place, Stop
from flax2optax.codemod.summary.frame import visible

_UNREADABLE = 1


def draw(request: Request, picture: str) -> int:
    """Print or save the graph; the exit code is 1 if a candidate could not be read, for then the graph lacks something."""
    data = sys.stdin.buffer.read() if request.from_stdin else b""
    collected, problems = gather(request, data)
    graph = Graph()
    if collected.candidates:
        from flax2optax.codemod.pipeline import chart

        graph = chart(collected.candidates, request.settings.options(), collected.projects)
    for name in collected.skipped:
        click.echo(f"warning: {name} is not a Python file", err=True)
    unread = [*filter(None, map(_problem, problems)), *graph.unread]
    for one in unread:
        place = f"{one.place.module}:{one.place.line}"
        click.echo(f"warning: {visible(f'{place}: {one.code} {one.reason}')}", err=True)
    _put(render(graph, picture), request)
    return _UNREADABLE if unread else 0


def _problem(found: Diagnostic) -> Stop | None:
    """Trouble with the input; other remarks of the first stage are for `check`."""
    if not found.code.startswith("FXO0"):
        return None
    return Stop(found.code, Place(found.location.path, found.location.line), found.message)


def _put(text: str, request: Request) -> None:
    if request.output_file is None:
        click.echo(text, nl=False, color=False)
        return
    try:
        request.output_file.write_text(text, "utf-8", "backslashreplace", newline="")
    except OSError as problem:
        raise click.FileError(str(request.output_file), problem.strerror) from None
