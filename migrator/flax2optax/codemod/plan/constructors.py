"""A call of a flax.optim class → the pieces of its Optax expression, by the rules."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.index.walk import walk
from flax2optax.codemod.plan.edits import Hole, Pieces
from flax2optax_rules import RULES, RuleError, Variant, bind, choose, defaults, hyper_params, render


class Rate(StrEnum):
    """Where a flow's learning rate is applied."""

    CONSTRUCTOR = "constructor"  # in the transformation, as the constructor gave it
    STEP = "step"  # in the step: the updates are multiplied by minus the rate
    STATE = "state"  # in the transformation's state, set by the step
    MIXED = "mixed"  # in the step, which takes the constructor's where it gives none
    GROUPS = "groups"  # in the transformation, which the step gives one rate per group
    UPDATE = "update"  # in the transformation, whose update takes what every step gives


_OF_COMPLEX = (
    "The program has complex numbers, which flax.optim squared; Optax squares their magnitudes."
)
UNSCALED = frozenset({Rate.STEP, Rate.MIXED, Rate.GROUPS})


@dataclass(frozen=True, slots=True)
class Built:
    """An Optax expression, the supports it needs, and what a reviewer should know."""

    pieces: Pieces
    needs: tuple[str, ...] = ()
    note: str = ""
    imports: tuple[str, ...] = ("optax",)


class CannotBuild(Exception):
    """A call that no rule translates; `code` and message say why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


Spread = Mapping[NodeId, Mapping[str, str]]  # `**kwargs` by its node -> keyword -> source
_MARK = re.compile(r"__hole(\d+)__")
_PRIMARY = (
    t.Name,
    t.Attribute,
    t.Call,
    t.Subscript,
    t.Constant,
    t.Sequence,
    t.Dict,
    t.Comprehension,
    t.FString,
)


def hole(node: t.Expression) -> str:
    """What stands for a node in the text of a template."""
    return f"__hole{node.id}__"


def last_rate(name: str, node: t.Call) -> bool:
    """Whether the learning rate is the last thing the optimizer applies, as far as its arguments can be read."""
    try:
        arguments = bind(RULES[name], *_arguments(name, node, {}))
        return choose(RULES[name], _literals(arguments, node)).unscaled is not None
    except (CannotBuild, RuleError, KeyError):
        return True


def build(
    name: str,
    node: t.Call,
    rate: Rate,
    optax: str = "optax",
    overridden: Sequence[str] = (),
    spread: Spread = MappingProxyType({}),
    *,
    squares: bool = False,
    positive: bool = False,
) -> Built:
    """The Optax expression of `flax.optim.<name>(…)`; raises `CannotBuild`.

    If asked, one that `squares` complex gradients, or whose moments are `positive` where flax's were.
    """
    try:
        positional, keywords = _arguments(name, node, spread)
        arguments = bind(RULES[name], positional, keywords)
        return _build(name, node, arguments, rate, optax, overridden, squares, positive)
    except RuleError as error:
        code = "FXO203" if "learning_rate" in str(error) else "FXO202"
        raise CannotBuild(code, str(error)) from error


def _build(
    name: str,
    node: t.Call,
    arguments: dict[str, str],
    rate: Rate,
    optax: str,
    overridden: Sequence[str],
    squares: bool,
    positive: bool,
) -> Built:
    rule = RULES[name]
    fixed = {
        key: value
        for key, value in arguments.items()
        if key not in overridden or key == "learning_rate"
    }
    traced = {key: key for key in overridden}
    literals = _literals(fixed, node)
    if rate in (Rate.STATE, Rate.UPDATE):
        _check_captured(node, set(traced), name)
    variant = choose(rule, {**literals, **traced} if rate is Rate.STATE else literals)
    if positive and variant.positive is not None:
        variant = replace(variant, write=variant.positive)
    needs, note = variant.needs, variant.note
    if rate is Rate.STATE:
        text = _injected(name, variant, arguments, traced)
    elif rate is Rate.UPDATE:
        early = {
            key: mark for key, mark in arguments.items() if key in _computed(fixed, node, traced)
        }
        body = render(
            variant.write, {**arguments, **{key: key for key in early}, **traced}, defaults(rule)
        )
        given = (*traced, *(f"{key}={mark}" for key, mark in early.items()))
        text = f"with_given_rate(lambda {', '.join(given)}: {body})"
        needs = (*needs, "with_given_rate")
    elif squares:
        text = _squared(variant, arguments, defaults(rule), rate)
        needs, note = (*needs, "scale_by_adam"), _OF_COMPLEX
    else:
        text = render(_template(name, variant, rate), arguments, defaults(rule))
    if optax != "optax":
        text = re.sub(r"\boptax\.", f"{optax}.", text)
    imports = ["optax", *(["jax.numpy"] if "jnp." in text else [])]
    return Built(_pieces(_soft(text), node), needs, note, tuple(imports))


def _computed(
    arguments: Mapping[str, str], node: t.Call, traced: Mapping[str, str]
) -> frozenset[str]:
    """The arguments whose values are bound where the transformation is made, as flax did."""
    constants = {hole(a.value) for a in node.args if isinstance(a.value, t.Constant)}
    return (
        frozenset(
            key
            for key, mark in arguments.items()
            if mark.startswith("__hole") and mark not in constants
        )
        - traced.keys()
    )


def _squared(
    variant: Variant, arguments: dict[str, str], known: Mapping[str, str], rate: Rate
) -> str:
    """Adam with the written-in scaling; its state has the structure of Optax's."""
    assert variant.unscaled is not None
    scaled = variant.unscaled.replace("optax.scale_by_adam(", "scale_by_adam(")
    if rate is Rate.CONSTRUCTOR:
        parts = scaled.removeprefix("optax.chain(")
        parts = parts if parts is scaled else parts.removesuffix(")")
        scaled = f"optax.chain({parts}, optax.scale_by_learning_rate({{learning_rate}}))"
    return render(scaled, arguments, known)


def _check_captured(node: t.Call, traced: set[str], name: str) -> None:
    """The lambda around the transformation has parameters of these names: no other argument may read a variable so called."""
    positional = list(hyper_params(RULES[name]))
    for index, argument in enumerate(node.args):
        own = argument.keyword or (positional[index] if index < len(positional) else "")
        read = {n.name for n, _ in walk((argument.value,)) if isinstance(n, t.Name)}
        if own not in traced and read & traced:
            why = f"`{', '.join(sorted(read & traced))}` is a variable, and a hyperparameter that the steps override"
            raise CannotBuild("FXO502", why)


def build_callable(
    name: str, parameters: Mapping[str, bool], positional: int, rate: Rate, optax: str
) -> Built:
    """A callable with flax's parameters; each says whether every call gives it, the first ones by position."""
    rule = RULES[name]
    known = defaults(rule)
    order = [key for key in hyper_params(rule) if key in parameters]
    if set(order) != set(parameters) or any(
        not parameters[key] and known.get(key, "None") == "None" for key in order
    ):
        raise CannotBuild("FXO202", f"the calls of {name} do not agree in their arguments")
    given = {key: key for key in order}
    try:
        variant = choose(rule, given)
        text = render(_template(name, variant, rate), given, known)
    except RuleError as error:
        raise CannotBuild(
            "FXO203" if "learning_rate" in str(error) else "FXO202", str(error)
        ) from error
    direct = re.fullmatch(r"(optax\.\w+)\((.*)\)", text)
    # Optax's own defaults may differ: adamw's decay is not zero.
    every = all(parameters.values())
    if direct is not None and every and _same_arguments(direct[2], order, positional):
        text = direct[1]
    else:
        listed = (key if parameters[key] else f"{key}={known[key]}" for key in order)
        text = f"{' '.join(('lambda', ', '.join(listed))).rstrip()}: {text}"
    imports = ["optax", *(["jax.numpy"] if "jnp." in text else [])]
    text = re.sub(r"\boptax\.", f"{optax}.", text)
    return Built((_soft(text),), variant.needs, variant.note, tuple(imports))


def _same_arguments(inside: str, order: list[str], positional: int) -> bool:
    """Whether Optax's function takes these very arguments, by the same names and at the same places."""
    parts = inside.split(", ") if inside else []
    named = [part for part in parts if part != "learning_rate"]
    places = parts[: max(positional, 1)]
    return (
        all(part == f"{part.split('=')[0]}={part.split('=')[0]}" for part in named)
        and [part.split("=")[0] for part in parts] == order
        and positional <= len([part for part in places if part == "learning_rate"])
    )


def _template(name: str, variant: Variant, rate: Rate) -> str:
    if rate not in UNSCALED:
        return variant.write
    if variant.unscaled is None:
        raise CannotBuild("FXO502", f"{name} does not apply its rate last")
    return variant.unscaled


TRACEABLE = MappingProxyType({
    "Adam": ("beta1", "beta2", "weight_decay"),
    "AdaBelief": ("beta1", "beta2", "weight_decay"),
    "LAMB": ("beta1", "beta2", "weight_decay"),
    "Momentum": ("beta", "weight_decay"),
    "RMSProp": ("beta2",),
})  # fmt: skip


def _injected(
    name: str, variant: Variant, arguments: dict[str, str], traced: dict[str, str]
) -> str:
    """A transformation whose state has the overridden hyperparameters, at first with the constructor's values."""
    strange = [key for key in traced if key not in ("learning_rate", *TRACEABLE.get(name, ()))]
    if strange:
        raise CannotBuild("FXO503", f"the steps of {name} override {', '.join(strange)}")
    known = defaults(RULES[name])
    body = render(variant.write, {**arguments, **traced}, known)
    first = {key: arguments.get(key, known.get(key, "None")) for key in traced}
    given = ", ".join(
        f"{key}={'0.0' if value == 'None' else value}" for key, value in first.items()
    )
    return f"optax.inject_hyperparams(lambda {', '.join(traced)}: {body})({given})"


def _arguments(name: str, node: t.Call, spread: Spread) -> tuple[list[str], dict[str, str]]:
    positional: list[str] = []
    keywords: dict[str, str] = {}
    for argument in node.args:
        if argument.value.id in spread:
            keywords.update(spread[argument.value.id])
            continue
        if argument.star and not (name == "MultiOptimizer" and argument.star == "*"):
            raise CannotBuild("FXO202", f"the arguments of {name} are computed ({argument.star}…)")
        mark = hole(argument.value)
        if isinstance(argument.value, t.Constant) and argument.value.value is None:
            mark = "None"
        if argument.keyword is None:
            positional.append(argument.star + mark)
        else:
            keywords[argument.keyword] = mark
    return positional, keywords


def _literals(arguments: dict[str, str], node: t.Call) -> dict[str, str]:
    """The arguments with literals spelled out, as the rules' conditions read them."""
    constants = {hole(a.value): a.value for a in node.args}
    result = {}
    for name, mark in arguments.items():
        value = constants.get(mark)
        literal = isinstance(value, t.Constant)
        result[name] = repr(value.value) if isinstance(value, t.Constant) and literal else mark
    return result


def _soft(text: str) -> str:
    """Let the arguments of every call begin new lines."""
    result: list[str] = []
    for index, character in enumerate(text):
        if character == "(" and text[index + 1 : index + 2] != ")":
            result.append("\x0e(\v")
        elif character == ")" and text[index - 1 : index] != "(":
            result.append(")\x0f")
        else:
            result.append(",\v" if character == "," and "\x0e(\v" in result else character)
    return "".join(result)


def _pieces(text: str, node: t.Call) -> Pieces:
    values: dict[NodeId, t.Expression] = {a.value.id: a.value for a in node.args}
    pieces: list[str | Hole] = []
    position = 0
    for mark in _MARK.finditer(text):
        pieces.append(text[position : mark.start()])
        before, after = text[: mark.start()].rstrip()[-1:], text[mark.end() :].lstrip()[:1]
        alone = before in ("", "(", "[", ",", "=", "*") and after in ("", ")", "]", ",")
        id_ = int(mark[1])
        pieces.append(Hole(id_, wrap=not alone and not isinstance(values.get(id_), _PRIMARY)))
        position = mark.end()
    pieces.append(text[position:])
    return tuple(p for p in pieces if p != "")
