"""Migrate one constructor call by its rules, the way the codemod does: text in, text out."""

import ast
from collections.abc import Callable

from flax2optax_rules import (
    RULES,
    OptimizerRule,
    bind,
    write,
    write_injected,
    write_unscaled,
)

Arguments = dict[str, str]
Form = Callable[[OptimizerRule, Arguments], str | None]


def with_rate(source: str) -> str:
    return _migrated(source, write) or ""


def unscaled(source: str) -> str | None:
    """None where something of the expression, or of one inside it, follows the rate."""
    return _migrated(source, write_unscaled)


def injected(source: str) -> str:
    """An inner optimizer gets the rate that WeightNorm passes on."""
    rule, arguments = bound(source)
    if "wrapped_optimizer" not in arguments:
        return write_injected(rule, arguments)
    inner, inner_arguments = bound(arguments["wrapped_optimizer"])
    inner_arguments["learning_rate"] = "learning_rate"
    arguments["wrapped_optimizer"] = write(inner, inner_arguments)
    return write_injected(rule, arguments, rate="0.0")


def bound(source: str) -> tuple[OptimizerRule, Arguments]:
    call = ast.parse(source, mode="eval").body
    assert isinstance(call, ast.Call)
    return _bound(source, call, lambda text: text)


def _migrated(source: str, form: Form) -> str | None:
    tree = ast.parse(source, mode="eval").body
    if (name := _optimizer(tree)) is None:
        return _with_inner_calls(source, tree, form)
    assert isinstance(tree, ast.Call)
    failed: list[str] = []

    def inner(text: str) -> str:
        result = _migrated(text, form)
        failed.extend([] if result is not None else [text])
        return result or text

    _, arguments = _bound(source, tree, inner)
    return None if failed else form(RULES[name], arguments)


def _bound(
    source: str, call: ast.Call, inner: Callable[[str], str]
) -> tuple[OptimizerRule, Arguments]:
    name = _optimizer(call)
    assert name is not None
    positional = [inner(_text(source, arg)) for arg in call.args]
    keywords = {keyword.arg or "": inner(_text(source, keyword.value)) for keyword in call.keywords}
    return RULES[name], bind(RULES[name], positional, keywords)


def _with_inner_calls(source: str, tree: ast.AST, form: Form) -> str | None:
    for node in ast.walk(tree):
        if _optimizer(node):
            text = _text(source, node)
            result = _migrated(text, form)
            return None if result is None else source.replace(text, result)
    return source


def _optimizer(node: ast.AST) -> str | None:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="optim"), attr=name)):
            return name
    return None


def _text(source: str, node: ast.AST) -> str:
    return ast.get_source_segment(source, node) or ""
