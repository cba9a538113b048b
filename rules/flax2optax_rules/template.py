"""From the arguments a user wrote to the Optax expression: bind, choose a variant, fill its template. Text only."""

import ast
import re
from collections.abc import Mapping, Sequence
from typing import Final

from .signature import signature
from .types import OptimizerRule, Variant

PLACEHOLDER: Final = re.compile(r"\{(?P<name>\w+)(?P<optional>\??)\}")
OPTIONAL: Final = re.compile(r"(?P<comma>,\s*)?(?:\w+=)?\{(?P<name>\w+)\?\}")
COMMA: Final = re.compile(r",\s*")
PRIMARY: Final = (
    ast.Name,
    ast.Attribute,
    ast.Call,
    ast.Subscript,
    ast.Constant,
    ast.List,
    ast.Dict,
    ast.Set,
    ast.ListComp,
    ast.DictComp,
    ast.SetComp,
    ast.JoinedStr,
)


class RuleError(Exception):
    """A call that a rule cannot translate; the message says why."""


class UnknownArgumentError(RuleError):
    """The flax class has no such parameter, or fewer positional ones."""


class DuplicateArgumentError(RuleError):
    """The same parameter is given twice."""


class MissingArgumentError(RuleError):
    """A parameter without a default, or the learning rate, is not given."""


def bind(
    rule: OptimizerRule, positional: Sequence[str], keywords: Mapping[str, str]
) -> dict[str, str]:
    """Name the arguments of a call by the flax signature; only what the user wrote is in the result."""
    declared = signature(rule.flax)
    if declared.rest is not None:
        return _bind_rest(declared.name, declared.rest, positional, keywords)
    names = tuple(declared.defaults)
    if len(positional) > len(names):
        raise UnknownArgumentError(f"{declared.name} takes {len(names)} arguments")
    bound = dict(zip(names, positional, strict=False))
    for name, value in keywords.items():
        if name not in names:
            raise UnknownArgumentError(f"{declared.name} has no argument {name!r}")
        if name in bound:
            raise DuplicateArgumentError(f"{declared.name} is given {name!r} twice")
        bound[name] = value
    return bound


def choose(rule: OptimizerRule, arguments: Mapping[str, str]) -> Variant:
    """The first variant whose every condition holds; one with nothing to write says why there is none."""
    known = signature(rule.flax).defaults
    for variant in rule.variants:
        conditions = (variant.when or "").split()
        if all(_holds(condition, arguments, known) for condition in conditions):
            if not variant.write:
                raise RuleError(variant.note)
            return variant
    raise RuleError(f"{rule.flax} has no variant for every call")


def defaults(rule: OptimizerRule) -> dict[str, str]:
    """Flax's defaults as source text, for `render`."""
    declared = signature(rule.flax).defaults
    return {name: text for name, text in declared.items() if text is not None}


def render(
    template: str, arguments: Mapping[str, str], defaults: Mapping[str, str] | None = None
) -> str:
    """Fill a template with source text, in parentheses where its place needs them.

    A `{x}` that is not in `arguments` takes flax's default; a learning rate has none, for Optax would ascend.
    """
    known = {**(defaults or {}), **arguments}
    kept = _drop_absent(template, arguments)
    return PLACEHOLDER.sub(lambda hole: _fill(hole, kept, known), kept)


def write(rule: OptimizerRule, arguments: Mapping[str, str]) -> str:
    """The Optax expression of a call, with its learning rate inside."""
    return render(choose(rule, arguments).write, arguments, defaults(rule))


def write_unscaled(rule: OptimizerRule, arguments: Mapping[str, str]) -> str | None:
    """The transformation of a call without its learning rate, or None where something follows the rate."""
    unscaled = choose(rule, arguments).unscaled
    return None if unscaled is None else render(unscaled, arguments, defaults(rule))


def write_injected(
    rule: OptimizerRule, arguments: Mapping[str, str], rate: str | None = None
) -> str:
    """The transformation of a call with its rate in the state, for rates that are not applied last.

    `rate` is the value until a step gives another; the constructor's own, or 0.0 where it gave none.
    """
    body = write(rule, {**arguments, "learning_rate": "learning_rate"})
    written = arguments.get("learning_rate", "None")
    first = rate or ("0.0" if written == "None" else written)
    return f"optax.inject_hyperparams(lambda learning_rate: {body})(learning_rate={first})"


def _bind_rest(
    name: str, rest: str, positional: Sequence[str], keywords: Mapping[str, str]
) -> dict[str, str]:
    if keywords:
        raise UnknownArgumentError(f"{name} has no argument {next(iter(keywords))!r}")
    return {rest: ", ".join(positional)}


def _holds(condition: str, arguments: Mapping[str, str], known: Mapping[str, str | None]) -> bool:
    name, equals, literal = condition.partition("=")
    if name not in arguments:
        return False
    if equals:
        return _same(arguments[name], literal)
    return not _same(arguments[name], known[name] or "")


def _same(left: str, right: str) -> bool:
    """Whether two expressions are the same literal (`0` and `0.0` are), or the same text."""
    try:
        return bool(ast.literal_eval(left) == ast.literal_eval(right))
    except (ValueError, SyntaxError):
        return left == right


def _drop_absent(template: str, arguments: Mapping[str, str]) -> str:
    """One argument at a time: the next one may become the first of its call."""
    for hole in OPTIONAL.finditer(template):
        if hole["name"] not in arguments:
            following = None if hole["comma"] else COMMA.match(template, hole.end())
            end = following.end() if following else hole.end()
            return _drop_absent(template[: hole.start()] + template[end:], arguments)
    return template


def _fill(hole: re.Match[str], template: str, known: Mapping[str, str]) -> str:
    name = hole["name"]
    value = known.get(name)
    if value is None or (name == "learning_rate" and value == "None"):
        raise MissingArgumentError(f"no {name} is given")
    before, after = template[: hole.start()].rstrip()[-1:], template[hole.end() :].lstrip()[:1]
    alone = before in ("", "(", "[", ",", "=") and after in ("", ")", "]", ",")
    return f"({value})" if _needs_parentheses(value, alone=alone) else value


def _needs_parentheses(value: str, *, alone: bool) -> bool:
    call = ast.parse(f"f({value}\n)", mode="eval").body
    assert isinstance(call, ast.Call)
    if len(call.args) != 1:
        return not alone
    (tree,) = call.args
    if alone:
        return isinstance(tree, ast.GeneratorExp | ast.NamedExpr) and not _wrapped(value, tree)
    return not isinstance(tree, PRIMARY) and not _wrapped(value, tree)


def _wrapped(value: str, tree: ast.expr) -> bool:
    """Whether all of the value stands in parentheses: then the tree begins after one, or is one of the value's own."""
    start = len("f(")
    if not value.startswith("("):
        return False
    own = isinstance(tree, ast.Tuple | ast.GeneratorExp) and tree.col_offset == start
    return own or tree.col_offset > start or tree.lineno > 1
