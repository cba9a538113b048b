"""Where the report goes: to standard output, to a file, or beside what the mode puts out."""

from dataclasses import replace

import click

from flax2optax.cli.request import Request
from flax2optax.codemod.summary import Report, State, closing_line, per_code, render

_CLOSED = ("full", "concise")


def tell(report: Report, request: Request) -> None:
    """Print or save the findings, then the closing line."""
    text = _text(report, request)
    closing = "" if request.quiet or not _is_closed(request) else closing_line(report)
    aside = request.puts_out
    if request.output_file is None:
        click.echo(text + closing, nl=False, err=aside, color=request.color)
        return
    try:
        request.output_file.write_text(text, "utf-8", "backslashreplace", newline="")
    except OSError as problem:
        raise click.FileError(str(request.output_file), problem.strerror) from None
    click.echo(closing, nl=False, err=aside)


def _text(report: Report, request: Request) -> str:
    if request.statistics:
        return per_code(report)
    if request.puts_out and _is_closed(request):
        left = tuple(one for one in report.findings if one.state is not State.FIXABLE)
        report = replace(report, findings=left)
    return render(report, request.settings.output_format)


def _is_closed(request: Request) -> bool:
    return request.statistics or request.settings.output_format in _CLOSED
