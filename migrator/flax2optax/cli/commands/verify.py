"""`flax2optax verify`."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from flax2optax.verify.proof import Options, Progress
    from flax2optax.verify.report import Report
    from flax2optax.verify.runs import Command

FORMATS: Final = ("full", "json", "markdown", "html")
COMMAND: Final = "flax2optax.verify.command"
BAR: Final = 24
WITHOUT_RULES: Final = ("path", "before", "after", "probe", "boundaries", "platform", "devices")


class _Verify(click.Command):
    """What follows `--` is the user's command, whatever it looks like."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--" in args:
            at = args.index("--")
            ctx.meta[COMMAND] = args[at + 1 :]
            args = args[:at]
        return super().parse_args(ctx, args)


@click.command("verify", cls=_Verify, options_metavar="[OPTIONS]")
@click.argument("path", required=False, type=click.Path(path_type=Path), metavar="[PATH]")
@click.option("--before", metavar="REF|DIR", help="The tree before; no PATH then.")
@click.option("--after", metavar="REF|DIR", help="The tree after. [.]")
@click.option("--probe", metavar="MODULE:FUNCTION", help="In place of a command.")
@click.option("--rules", is_flag=True, help="Train every rule's examples in four types.")
@click.option(
    "--steps", default=20, show_default=True, help="Stop both runs after so many; 0: never."
)
@click.option(
    "--at-step",
    "boundaries",
    multiple=True,
    type=int,
    metavar="N",
    help="A counter that a schedule changes at.",
)
@click.option(
    "--platform", type=click.Choice(["cpu", "gpu", "tpu", "all"]), help="[as the program]"
)
@click.option("--devices", default=0, metavar="N", help="Force so many CPU devices.")
@click.option(
    "--python", default=sys.executable, metavar="EXE", help="Another environment's Python."
)
@click.option(
    "--reference",
    type=click.Path(path_type=Path),
    metavar="WHEEL|DIR",
    help="The wheel of flax 0.5.3, for machines without a network.",
)
@click.option("--timeout", default=0.0, metavar="SECONDS", help="For each run. [none]")
@click.option("--timing/--no-timing", default=True, help="Two more runs, only for the clock.")
@click.option("-j", "--jobs", default=2, show_default=True, help="So many runs at once.")
@click.option("--output-format", type=click.Choice(FORMATS), default="full", show_default=True)
@click.option("-o", "--output-file", type=click.Path(path_type=Path), metavar="FILE")
@click.option(
    "--html", type=click.Path(path_type=Path), metavar="FILE", help="The report as a page, besides."
)
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@click.pass_context
def command(context: click.Context, /, **given: Any) -> int:
    """Run the program before and after, and prove that it trains the same.

    flax2optax verify PATH -- COMMAND...: PATH is migrated in a copy and the command runs in both.
    """
    _require_packages(given["python"])
    words = context.meta.get(COMMAND, [])
    if given["rules"]:
        return _rules(words, given)
    _check_usage(words, given)
    reports = list(_reports(words, given))
    _tell_all(reports, given)
    return max(report.exit_code for _, report in reports)


def _require_packages(python: str) -> None:
    """Both where the programs run and here, where they are compared."""
    from flax2optax.verify.environment import check_versions
    from flax2optax.verify.outcome import CannotRunError

    try:
        for one in dict.fromkeys((sys.executable, python)):
            check_versions(one)
    except CannotRunError as problem:
        raise click.ClickException(str(problem)) from None


def _check_usage(words: Sequence[str], given: dict[str, Any]) -> None:
    if not words and not given["probe"]:
        raise click.UsageError("give a command after `--`, or --probe MODULE:FUNCTION, or --rules")
    if words and given["probe"]:
        raise click.UsageError("give a command or --probe, not both")
    if bool(given["path"]) == bool(given["before"]):
        raise click.UsageError("give a PATH to migrate, or --before and --after")
    if given["after"] and not given["before"]:
        raise click.UsageError("--after needs --before")
    if given["devices"] and given["platform"] not in (None, "cpu"):
        raise click.UsageError("--devices forces CPU devices; it goes with --platform cpu")


def _reports(words: Sequence[str], given: dict[str, Any]) -> "Iterator[tuple[str, Report]]":
    from flax2optax.verify.environment import platforms
    from flax2optax.verify.outcome import CannotRunError
    from flax2optax.verify.proof import prove
    from flax2optax.verify.reference import ReferenceUnavailableError
    from flax2optax.verify.report import Report

    shown = _shown(words, given)
    try:
        kinds = platforms(given["platform"] or "", given["python"])
    except CannotRunError as problem:
        yield "", Report("not run", str(problem), shown)
        return
    for platform in kinds:
        with ExitStack() as stack:
            try:
                trees = stack.enter_context(_trees(given))
                options, command = _options(given, shown), _command(words, given, platform)
            except (CannotRunError, ReferenceUnavailableError) as problem:
                yield platform, Report("not run", str(problem), shown)
                continue
            yield platform, prove(trees, command, options, _progress(given))


def _trees(given: dict[str, Any]) -> Any:
    from flax2optax.verify import trees

    if given["path"]:
        return trees.migrated(given["path"])
    return trees.given(given["before"], given["after"] or ".", Path.cwd())


def _options(given: dict[str, Any], shown: str) -> "Options":
    from flax2optax.verify.proof import Options
    from flax2optax.verify.reference import find

    return Options(
        wheel=find(given["reference"]),
        steps=given["steps"],
        boundaries=given["boundaries"],
        timing=given["timing"],
        jobs=max(1, given["jobs"]) if given["platform"] in (None, "cpu") else 1,
        shown=shown,
    )


def _command(words: Sequence[str], given: dict[str, Any], platform: str) -> "Command":
    from flax2optax.verify.runs import Command

    if given["probe"]:
        words = [given["python"], "-m", "flax2optax.verify.child.drive", given["probe"]]
    return Command(words, given["python"], platform, given["devices"], given["timeout"])


def _shown(words: Sequence[str], given: dict[str, Any]) -> str:
    """What repeats the proof."""
    import shlex

    options: list[str] = [str(given["path"])] if given["path"] else []
    for name in (
        "before", "after", "probe", "steps", "platform", "devices", "python", "reference",
    ):  # fmt: skip
        if given[name] and given[name] != sys.executable:
            options += [f"--{name}", str(given[name])]
    options += [word for at in given["boundaries"] for word in ("--at-step", str(at))]
    return shlex.join(["flax2optax", "verify", *options, *(["--", *words] if words else [])])


def _progress(given: dict[str, Any]) -> "Progress":
    if given["quiet"] or not sys.stderr.isatty():
        return lambda done, total, name: None

    def show(done: int, total: int, name: str) -> None:
        full = BAR * done // total
        bar = "█" * full + "░" * (BAR - full)
        end = "\r\033[K" if done == total else ""
        click.echo(f"\r\033[K{bar} {done}/{total} {name}{end}", nl=False, err=True)

    return show


def _tell_all(reports: "Sequence[tuple[str, Report]]", given: dict[str, Any]) -> None:
    """One report, or with `--platform all` one for each kind of device, in files and words of its own."""
    several = given["platform"] == "all"
    texts = [_told(report, given, kind if several else "") for kind, report in reports]
    if given["output_file"]:
        return
    if several and given["output_format"] == "json":
        texts = ["[", ",".join(texts), "]\n"]
    click.echo("".join(texts), nl=False)


def _told(report: "Report", given: dict[str, Any], platform: str) -> str:
    text = _formats()[given["output_format"]](report)
    if given["html"]:
        _write(_named(given["html"], platform), _formats()["html"](report))
    if given["output_file"]:
        _write(_named(given["output_file"], platform), text)
    return f"{platform}: {text}" if platform and given["output_format"] == "full" else text


def _formats() -> "dict[str, Callable[[Report], str]]":
    from flax2optax.verify.page import to_page
    from flax2optax.verify.report import to_json
    from flax2optax.verify.terminal import to_markdown, to_text

    return {"full": to_text, "json": to_json, "markdown": to_markdown, "html": to_page}


def _named(file: Path, platform: str) -> Path:
    return file.with_stem(f"{file.stem}-{platform}") if platform else file


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, "utf-8")
    except OSError as problem:
        raise click.FileError(str(file), problem.strerror) from None


def _rules(words: Sequence[str], given: dict[str, Any]) -> int:
    from flax2optax.verify.reference import ReferenceUnavailableError, find
    from flax2optax.verify.rules import check_rules

    if words or any(given[name] for name in WITHOUT_RULES):
        raise click.UsageError("--rules trains our own examples and takes only --reference")
    try:
        wheel = find(given["reference"])
    except ReferenceUnavailableError as problem:
        raise click.ClickException(str(problem)) from None
    return check_rules(wheel, click.echo)
