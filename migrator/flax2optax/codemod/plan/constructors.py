"""A call of a flax.optim class → the pieces of its Optax expression, by the rules."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from flax2optax_rules import RULES, RuleError, Variant, bind, choose, defaults, render

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.plan.edits import Hole, Pieces


class Rate(StrEnum):
    """Where a flow's learning rate is applied."""

    CONSTRUCTOR = "constructor"  # in the transformation, as the constructor gave it
    STEP = "step"  # in the step: the updates are multiplied by minus the rate
    STATE = "state"  # in the transformation's state, set by the step


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


_MARK = re.compile(r"__hole(\d+)__")
_PRIMARY = (t.Name, t.Attribute, t.Call, t.Subscript, t.Constant, t.Sequence, t.Dict, t.Comprehension, t.FString)


def last_rate(name: str, node: t.Call) -> bool:
    """Whether the learning rate is the last thing the optimizer applies."""
    return choose(RULES[name], _literals(bind(RULES[name], *_arguments(name, node)), node)).unscaled is not None


def build(name: str, node: t.Call, rate: Rate, optax: str = "optax") -> Built:
    """The Optax expression of `flax.optim.<name>(…)`; raises `CannotBuild`."""
    try:
        return _build(name, node, rate, optax)
    except RuleError as error:
        code = "FXO203" if "learning_rate" in str(error) else "FXO202"
        raise CannotBuild(code, str(error)) from error


def _build(name: str, node: t.Call, rate: Rate, optax: str) -> Built:
    rule = RULES[name]
    arguments = bind(rule, *_arguments(name, node))
    variant = choose(rule, _literals(arguments, node))
    filled = {**defaults(rule), **arguments}
    if rate is Rate.CONSTRUCTOR:
        text = render(variant.write, arguments, defaults(rule))
    elif rate is Rate.STEP:
        if variant.unscaled is None:
            raise CannotBuild("FXO502", f"{name} does not apply its rate last")
        text = render(variant.unscaled, arguments, defaults(rule))
    else:
        text = _injected(variant, arguments, filled, defaults(rule))
    if optax != "optax":
        text = re.sub(r"\boptax\.", f"{optax}.", text)
    imports = ["optax", *(["jax.numpy"] if "jnp." in text else [])]
    return Built(_pieces(text, node), variant.needs, variant.note, tuple(imports))


def _injected(variant: Variant, arguments: dict[str, str], filled: dict[str, str], known: dict[str, str]) -> str:
    body = render(variant.write, {**arguments, "learning_rate": "learning_rate"}, known)
    first = filled.get("learning_rate", "None")
    first = "0.0" if first == "None" else first
    return f"optax.inject_hyperparams(lambda learning_rate: {body})(learning_rate={first})"


def _arguments(name: str, node: t.Call) -> tuple[list[str], dict[str, str]]:
    positional: list[str] = []
    keywords: dict[str, str] = {}
    for argument in node.args:
        if argument.star and not (name == "MultiOptimizer" and argument.star == "*"):
            raise CannotBuild("FXO202", f"the arguments of {name} are computed ({argument.star}…)")
        mark = f"__hole{argument.value.id}__"
        if isinstance(argument.value, t.Constant) and argument.value.value is None:
            mark = "None"
        if argument.keyword is None:
            positional.append(argument.star + mark)
        else:
            keywords[argument.keyword] = mark
    return positional, keywords


def _literals(arguments: dict[str, str], node: t.Call) -> dict[str, str]:
    """The arguments with literals spelled out, as the rules' conditions read them."""
    constants = {f"__hole{a.value.id}__": a.value for a in node.args}
    result = {}
    for name, mark in arguments.items():
        value = constants.get(mark)
        literal = isinstance(value, t.Constant)
        result[name] = repr(value.value) if isinstance(value, t.Constant) and literal else mark
    return result


def _pieces(text: str, node: t.Call) -> Pieces:
    values: dict[NodeId, t.Expression] = {a.value.id: a.value for a in node.args}
    pieces: list[str | Hole] = []
    position = 0
    for mark in _MARK.finditer(text):
        pieces.append(text[position : mark.start()])
        before, after = text[: mark.start()].rstrip()[-1:], text[mark.end() :].lstrip()[:1]
        alone = before in ("", "(", "[", ",", "=", "*") and after in ("", ")", "]", ",")
        id_ = int(mark[1])
        pieces.append(Hole(id_, wrap=not alone and not isinstance(values[id_], _PRIMARY)))
        position = mark.end()
    pieces.append(text[position:])
    return tuple(p for p in pieces if p != "")
