"""What the state is converted for: the program's own transformation or state, or one made by the rule of a flax class."""

import ast
import importlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flax2optax_rules import (
    RULES,
    SUPPORT,
    RuleError,
    bind,
    hyper_params,
    write,
    write_injected,
    write_unscaled,
)

from .tree import CheckpointError

SCHEDULE: Final = "(lambda count: 0.1)"


@dataclass(frozen=True, slots=True)
class Target:
    """What one optimizer becomes.

    `tx` is the gradient transformation, `opt_state` the state of the program's own template, `kind` the flax class.
    """

    tx: Any = None
    opt_state: Any = None
    kind: str | None = None


def load(name: str) -> Any:
    """Return what `MODULE:ATTR` names, importing from the current folder first. Raises CheckpointError."""
    module, colon, attribute = name.partition(":")
    if not colon or not module or not attribute:
        raise CheckpointError(f"{name!r} is not MODULE:ATTR")
    sys.path.insert(0, os.getcwd())
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except Exception as error:
        raise CheckpointError(f"{name} cannot be imported: {_said(error)}") from error
    finally:
        sys.path.remove(os.getcwd())
    return found


def load_tx(name: str) -> Any:
    """Return the transformation that `MODULE:ATTR` is, or makes. Raises CheckpointError."""
    found = load(name)
    if not is_tx(found) and callable(found):
        found = call(name, found)
    if not is_tx(found):
        raise CheckpointError(f"{name} is {type(found).__name__}, not a gradient transformation")
    return found


def load_template(name: str) -> Any:
    """Return the state that `MODULE:ATTR` is, or makes. Raises CheckpointError."""
    found = load(name)
    return call(name, found) if callable(found) and not hasattr(found, "opt_state") else found


def call(name: str, function: Callable[[], Any]) -> Any:
    """Call the user's function; what it raises is theirs, and told in a sentence."""
    try:
        return function()
    except Exception as error:
        raise CheckpointError(f"{name} fails: {_said(error)}") from error


def is_tx(value: Any) -> bool:
    """Whether a value is a gradient transformation."""
    return callable(getattr(value, "init", None)) and callable(getattr(value, "update", None))


def make_target(optimizer: str, hyper: Mapping[str, str], rate: str = "constant") -> Target:
    """Return what the rule of a flax class makes: of `adam`, or of `Adam(0.1, beta2=0.98)`. Raises CheckpointError."""
    kind, text = _expression(optimizer, hyper, rate)
    return Target(_evaluated(text), kind=kind)


def make_groups(groups: Sequence[tuple[str, str]], hyper: Mapping[str, str], rate: str) -> Target:
    """Return a MultiOptimizer's target, of pairs of a part of the path and an optimizer; `!part` is all but that."""
    pairs = ", ".join(
        f"(_part({part!r}), {_expression(optimizer, hyper, rate)[1]})" for part, optimizer in groups
    )
    return Target(_evaluated(f"multi_optimizer({pairs})"), kind="MultiOptimizer")


def evaluate(text: str) -> Any:
    """Return what an expression of the rules is, with the pieces that Optax lacks."""
    return eval(text, dict(_namespace()))


def _evaluated(text: str) -> Any:
    """Of what the user gave: a hyperparameter may be anything but what it should be."""
    try:
        return evaluate(text)
    except Exception as error:
        raise CheckpointError(f"{text} cannot be made: {_said(error)}") from error


def _namespace() -> dict[str, Any]:
    import jax
    import jax.numpy as jnp
    import optax

    names: dict[str, Any] = {"jax": jax, "jnp": jnp, "optax": optax, "_part": _part}
    for piece in SUPPORT.values():
        exec("\n".join((*piece.imports, piece.source)), names)
    return names


def _part(part: str) -> Any:
    import warnings

    from flax import traverse_util

    wanted = part.removeprefix("!")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        made: Any = traverse_util.ModelParamTraversal
        return made(lambda path, _: (wanted in path) is not part.startswith("!"))


def _expression(optimizer: str, hyper: Mapping[str, str], rate: str) -> tuple[str, str]:
    name, given = _parsed(optimizer)
    by_name = {rule.lower(): rule for rule in RULES}
    kind = by_name.get(name.lower().replace("_", ""))
    if kind is None or kind == "MultiOptimizer":
        known = ", ".join(sorted(set(RULES) - {"MultiOptimizer"}))
        raise CheckpointError(f"there is no optimizer {name!r}; known are {known}")
    rule = RULES[kind]
    try:
        if kind == "WeightNorm":
            given, inner = _wrapped(given, hyper, rate)
            return kind, write(rule, {**given, "wrapped_optimizer": inner})
        given = {**{key: hyper[key] for key in hyper if key in hyper_params(rule)}, **given}
        return kind, _written(rule, given, rate)
    except RuleError as error:
        raise CheckpointError(f"{optimizer}: {error}") from None


def _written(rule: Any, given: dict[str, str], rate: str) -> str:
    if rate == "step":
        unscaled = write_unscaled(rule, given)
        if unscaled is None:
            raise CheckpointError(
                "its rate is not applied last, so no step can apply it; use --rate state"
            )
        return unscaled
    if rate == "state":
        if "learning_rate" not in given:
            raise CheckpointError("its rate is a part of the state: name it by --learning-rate")
        return write_injected(rule, given)
    given = {"learning_rate": "0.1", **given}
    return write(rule, given | {"learning_rate": SCHEDULE} if rate == "schedule" else given)


def _wrapped(
    given: Mapping[str, str], hyper: Mapping[str, str], rate: str
) -> tuple[dict[str, str], str]:
    if "wrapped_optimizer" not in given:
        raise CheckpointError("name what it wraps, as in WeightNorm(Adam())")
    rest = {name: text for name, text in given.items() if name != "wrapped_optimizer"}
    return rest, _expression(given["wrapped_optimizer"], hyper, rate)[1]


def _parsed(optimizer: str) -> tuple[str, dict[str, str]]:
    try:
        tree = ast.parse(optimizer.strip(), mode="eval").body
    except SyntaxError:
        raise CheckpointError(
            f"{optimizer!r} is no optimizer such as Adam(weight_decay=0.1)"
        ) from None
    if not isinstance(tree, ast.Call):
        return ast.unparse(tree).rpartition(".")[2], {}
    name = ast.unparse(tree.func).rpartition(".")[2]
    by_name = {rule.lower(): rule for rule in RULES}
    rule = RULES.get(by_name.get(name.lower(), ""))
    if rule is None:
        return name, {}
    keywords = {one.arg or "**": ast.unparse(one.value) for one in tree.keywords}
    try:
        bound = bind(rule, [ast.unparse(one) for one in tree.args], keywords)
    except RuleError as error:
        raise CheckpointError(f"{optimizer}: {error}") from None
    return name, bound


def _said(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
