"""`flax2optax checkpoint SRC DST`."""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flax2optax_rules import RULES, hyper_params

if TYPE_CHECKING:
    from flax2optax.checkpoint.convert import Wish
    from flax2optax.checkpoint.source import Selection
    from flax2optax.checkpoint.target import Target

_NAMED = re.compile(r"(?P<name>!?[\w./ -]+)=(?P<value>.*)", re.DOTALL)
_APART = {"wrapped_optimizer", "traversals_and_optimizers", "wn_decay", "wn_eps"}
_HYPER = sorted({name for rule in RULES.values() for name in hyper_params(rule)} - _APART)
_NEEDED = ("jax", "flax", "optax")


def _hyper_options(function: Callable[..., int]) -> Callable[..., int]:
    """One option for each hyperparameter of a flax class; the help text names them in one line."""
    for name in _HYPER:
        function = click.option(f"--{name.replace('_', '-')}", name, hidden=True)(function)
    return function


@click.command(
    "checkpoint",
    epilog=f"Hyperparameters of --optimizer: {', '.join('--' + n.replace('_', '-') for n in _HYPER)}.",
)
@click.argument("source", metavar="SRC", type=click.Path(path_type=Path))
@click.argument("place", metavar="DST", type=click.Path(path_type=Path), required=False)
@click.option("--inspect", is_flag=True, help="Print the tree of SRC and what is found in it.")
@click.option("--dry-run", is_flag=True, help="Print each leaf's old and new path; write nothing.")
@click.option("--to", type=click.Choice(("msgpack", "orbax")), default="msgpack")
@click.option(
    "--form",
    type=click.Choice(("state", "explicit")),
    default="state",
    help="A TrainState (step, params, opt_state), or params and opt_state alone. [state]",
)
@click.option(
    "--tx",
    "txs",
    multiple=True,
    metavar="[NAME=]MODULE:ATTR",
    help="The program's transformation, or a function that makes it.",
)
@click.option(
    "--template", metavar="MODULE:ATTR", help="The program's state, or a function that makes it."
)
@click.option(
    "--optimizer",
    "optimizers",
    multiple=True,
    metavar="[NAME=]OPTIMIZER",
    help="The flax class, as in adam or Adam(weight_decay=0.1).",
)
@click.option(
    "--group",
    "groups",
    multiple=True,
    metavar="PART=OPTIMIZER",
    help="A group of a MultiOptimizer: the parameters whose path has PART, or with !PART has not.",
)
@click.option(
    "--rate",
    type=click.Choice(("constant", "schedule", "step", "state")),
    default="constant",
    help="How the program gives --optimizer its learning rate. [constant]",
)
@click.option("--prefix", help="What the names of checkpoints in SRC begin with. [checkpoint_]")
@click.option("--step", help="Of a folder, convert the checkpoint of this step only.")
@click.option("--unreplicate", is_flag=True, help="Keep one replica of all.")
@click.option("--cast", is_flag=True, help="Convert moments to the dtype that Optax keeps them in.")
@click.option("--allow-pickle", is_flag=True, help="Read a pickle; none of its code is run.")
@click.option("--force", is_flag=True, help="Replace DST.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
@_hyper_options
def command(
    source: Path, place: Path | None, inspect: bool, dry_run: bool, quiet: bool, **given: Any
) -> int:
    """Convert the flax.optim state in SRC, a checkpoint or a folder of them, to Optax.

    What the program has now is told by --tx, --template or --optimizer; SRC is never changed.
    """
    if place is None and not (inspect or dry_run):
        raise click.UsageError("Missing argument 'DST'.")
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise click.ClickException(f"{missing[0]} is not installed: pip install flax2optax[verify]")
    from flax2optax.checkpoint import CheckpointError

    try:
        return _run(source, place, inspect, dry_run, quiet, given)
    except CheckpointError as error:
        raise click.ClickException(str(error)) from None


def _run(
    source: Path,
    place: Path | None,
    inspect: bool,
    dry_run: bool,
    quiet: bool,
    given: dict[str, Any],
) -> int:
    from flax2optax.checkpoint.source import Selection

    selection = Selection(given["prefix"], _number(given["step"]), given["allow_pickle"])
    if inspect:
        _inspect(source, selection)
    elif dry_run or place is None:
        _dry_run(source, _wish(given), selection)
    else:
        _convert(source, place, _wish(given), selection, given, quiet)
    return 0


def _inspect(source: Path, selection: "Selection") -> None:
    from flax2optax.checkpoint.convert import note
    from flax2optax.checkpoint.detect import find_optimizers
    from flax2optax.checkpoint.source import checkpoint_files, read_checkpoint
    from flax2optax.checkpoint.tree import CheckpointError, describe, leaves, spell

    for file in checkpoint_files(source, selection):
        tree = read_checkpoint(file, allow_pickle=selection.allow_pickle)
        click.echo(f"{file}")
        for path, leaf in leaves(tree):
            click.echo(f"  {spell(path)}  {describe(leaf)}")
        try:
            for old in find_optimizers(tree):
                click.echo(note(old))
        except CheckpointError as error:
            click.echo(str(error))


def _dry_run(source: Path, wish: "Wish", selection: "Selection") -> None:
    from flax2optax.checkpoint import plan_checkpoint
    from flax2optax.checkpoint.tree import describe, spell

    for name, done in plan_checkpoint(source, wish, selection):
        for line in (name, *done.notes):
            click.echo(line)
        for move in done.moves:
            old = "(set by the program)" if move.old is None else spell(move.old)
            click.echo(f"  {old} -> {spell(move.new)}  {describe(move.leaf)}")


def _convert(
    source: Path,
    place: Path,
    wish: "Wish",
    selection: "Selection",
    given: dict[str, Any],
    quiet: bool,
) -> None:
    from flax2optax.checkpoint import plan_all, write_checkpoint
    from flax2optax.checkpoint.write import check_place

    force = given["force"]
    check_place(source, place, force=force)
    done = plan_all(source, wish, selection)
    for line in () if quiet else done.notes:
        click.echo(line, err=True)
    with _bar(done.nbytes, quiet) as progress:
        write_checkpoint(source, place, done.every, given["to"], progress, force=force)
    if not quiet:
        click.echo(f"wrote {place}", err=True)


@contextmanager
def _bar(length: int, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Bytes, where someone watches."""
    if quiet or not sys.stderr.isatty():
        yield lambda done: None
        return
    show = f"{length / 2**20:.1f} MiB"
    with click.progressbar(length=length, label=show, file=sys.stderr, show_pos=True) as bar:
        yield bar.update


def _wish(given: dict[str, Any]) -> "Wish":
    from flax2optax.checkpoint.convert import Wish
    from flax2optax.checkpoint.target import load_template

    template = None if given["template"] is None else load_template(given["template"])
    return Wish(_targets(given), template, given["form"], given["unreplicate"], given["cast"])


def _targets(given: dict[str, Any]) -> "dict[str, Target]":
    from flax2optax.checkpoint.target import Target, load_tx, make_groups, make_target

    hyper = {name: given[name] for name in _HYPER if given[name] is not None}
    if hyper and not given["optimizers"] and not given["groups"]:
        raise click.UsageError("hyperparameters need the --optimizer that they belong to")
    found = {
        name: make_target(text, hyper, given["rate"])
        for name, text in map(_named, given["optimizers"])
    }
    if given["groups"] and "" in found:
        raise click.UsageError("--group and --optimizer are two ways to say the same: give one")
    if given["groups"]:
        found[""] = make_groups([_named(one) for one in given["groups"]], hyper, given["rate"])
    for name, text in map(_named, given["txs"]):
        kind = found[name].kind if name in found else None
        found[name] = Target(load_tx(text), kind=kind)
    return found


def _named(text: str) -> tuple[str, str]:
    """`NAME=VALUE`, or a value alone: then it is for every optimizer that no other names."""
    match = _NAMED.fullmatch(text)
    return (match["name"], match["value"]) if match else ("", text)


def _number(text: str | None) -> str | None:
    try:
        return None if text is None else str(float(text))
    except ValueError:
        raise click.UsageError(f"--step {text} is not a number") from None
