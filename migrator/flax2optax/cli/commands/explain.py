"""`flax2optax explain CODE|NAME`."""

import json
from importlib import import_module
from pkgutil import iter_modules

import click

from flax2optax.codemod.codes import CODES, Code


@click.command("explain")
@click.argument("name", metavar="CODE|NAME")
@click.option("--output-format", type=click.Choice(("text", "json")), default="text")
def command(name: str, output_format: str) -> int:
    """Tell what a code such as FXO301, or the rule of a class such as Adam, means."""
    known = CODES.get(name.upper())
    fields = _code(known) if known else _rule(name)
    if fields is None:
        raise click.UsageError(f"there is no code and no rule named {name}")
    if output_format == "json":
        click.echo(json.dumps(fields, indent=2))
    else:
        click.echo("\n\n".join(fields.values()))
    return 0


def reason(rule: object) -> str:
    """A rule's module says in words what its fields say in data."""
    import flax2optax_rules

    for info in iter_modules(flax2optax_rules.__path__):
        module = import_module(f"flax2optax_rules.{info.name}")
        if getattr(module, "rule", None) is rule:
            return (module.__doc__ or "").strip()
    return ""


def _code(code: Code) -> dict[str, str]:
    return {
        "code": code.code,
        "title": f"{code.title}.",
        "explanation": code.explanation,
        "instead": f"Instead: {code.instead}",
    }


def _rule(name: str) -> dict[str, str] | None:
    import flax2optax_rules

    by_name = {rule.lower(): rule for rule in flax2optax_rules.RULES}
    found = by_name.get(name.lower().removeprefix("flax.optim."))
    if found is None:
        return None
    rule = flax2optax_rules.RULES[found]
    return {
        "name": found,
        "explanation": reason(rule),
        "flax": rule.flax,
        "agreement": f"Agreement: {rule.agreement}.",
        "examples": "\n".join(f"{one.before}\n    {one.after}" for one in rule.examples),
    }
