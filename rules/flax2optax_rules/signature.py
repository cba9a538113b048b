"""The signature of a flax class, read from the line a rule quotes from the manual."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from .types import OptimizerRule


@dataclass(frozen=True, slots=True)
class Signature:
    """Parameter names in order with their defaults as source, and the name that takes the remaining positionals."""

    name: str
    defaults: Mapping[str, str | None]
    rest: str | None


@cache
def signature(flax: str) -> Signature:
    """Read `flax.optim.Name(required, optional=default, *rest)`."""
    call = ast.parse(flax, mode="eval").body
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        raise ValueError(f"not the signature of a class: {flax}")
    required = {arg.id: None for arg in call.args if isinstance(arg, ast.Name)}
    optional = {
        keyword.arg: ast.get_source_segment(flax, keyword.value)
        for keyword in call.keywords
        if keyword.arg
    }
    return Signature(call.func.attr, {**required, **optional}, _rest(call))


def flax_name(rule: OptimizerRule) -> str:
    """The class's name in flax.optim: `Adam`."""
    return signature(rule.flax).name


def hyper_params(rule: OptimizerRule) -> tuple[str, ...]:
    """The names that the optimizer's hyperparameters and overrides have."""
    return tuple(signature(rule.flax).defaults)


def _rest(call: ast.Call) -> str | None:
    starred = [arg.value for arg in call.args if isinstance(arg, ast.Starred)]
    return starred[0].id if starred and isinstance(starred[0], ast.Name) else None
