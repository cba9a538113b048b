"""What each part of flax.optim becomes: one small file per construct, found by listing the modules.

In: the name of a flax class. Out: its rule, and the sources Optax lacks. Never: anything but the standard library.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType, ModuleType
from typing import Final

from .by_arguments import function_name, functions, variant_for_any
from .param_states import READING, VIEWED, WRITING
from .signature import flax_name, hyper_params
from .template import (
    DuplicateArgumentError,
    MissingArgumentError,
    RuleError,
    UnknownArgumentError,
    bind,
    choose,
    defaults,
    render,
    write,
    write_injected,
    write_unscaled,
)
from .types import Agreement, Example, OptimizerRule, Support, Variant

__all__ = [
    "READING",
    "RULES",
    "SUPPORT",
    "VIEWED",
    "WRITING",
    "Agreement",
    "DuplicateArgumentError",
    "Example",
    "MissingArgumentError",
    "OptimizerRule",
    "RuleError",
    "Support",
    "UnknownArgumentError",
    "Variant",
    "bind",
    "by_arguments",
    "choose",
    "defaults",
    "flax_name",
    "hyper_params",
    "render",
    "write",
    "write_injected",
    "write_unscaled",
]


def _modules() -> Iterator[ModuleType]:
    for module in iter_modules(__path__):
        yield import_module(f"{__name__}.{module.name}")


def _rules() -> Iterator[OptimizerRule]:
    for module in _modules():
        rule = getattr(module, "rule", None)
        if isinstance(rule, OptimizerRule):
            yield rule


def _supports() -> Iterator[Support]:
    for module in _modules():
        support = getattr(module, "support", None)
        if isinstance(support, Support):
            yield support
        yield from getattr(module, "supports", ())


RULES: Final[Mapping[str, OptimizerRule]] = MappingProxyType(
    {flax_name(rule): rule for rule in _rules()}
)
SUPPORT: Final[Mapping[str, Support]] = MappingProxyType(
    {support.name: support for support in (*_supports(), *functions(RULES.items()))}
)


def by_arguments(flax: str, *, unscaled: bool) -> tuple[str, ...]:
    """The supports that a class needs to be called by flax's arguments, its function last; raises `RuleError`."""
    name = function_name(flax, unscaled=unscaled)
    needs = variant_for_any(RULES[flax]).needs
    if name not in SUPPORT:
        raise RuleError(f"{flax} does not apply its rate last")
    return (*needs, name)
