"""Each example is rewritten as shown, and what a rule leaves out is the same on both sides."""

import ast
import inspect
import re
from typing import Any

import optax
import pytest
from migrated_call import with_rate

from flax2optax.verify.mutants.train import namespace
from flax2optax_rules import RULES, SUPPORT, Example, OptimizerRule, Variant, defaults

EXAMPLES = [example for rule in RULES.values() for example in rule.examples]
VARIANTS = [
    (rule, variant) for rule in RULES.values() for variant in rule.variants if variant.write
]
KEYWORD = re.compile(r"(\w+)=\{(\w+)\?\}")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.before)
def test_is_rewritten_as_shown(example: Example) -> None:
    assert with_rate(example.before) == example.after


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_every_rule_has_an_example(rule: OptimizerRule) -> None:
    assert len(rule.examples) >= 2


@pytest.mark.parametrize(
    ("rule", "variant"), VARIANTS, ids=lambda value: getattr(value, "when", None)
)
def test_arguments_left_out_have_the_same_default(rule: OptimizerRule, variant: Variant) -> None:
    flax = defaults(rule)
    for template in filter(None, (variant.write, variant.unscaled)):
        for function, keyword, name in optional_arguments(template):
            theirs = inspect.signature(function).parameters[keyword].default
            assert eval(flax[name], namespace()) == theirs, f"{keyword} of {template}"


@pytest.mark.parametrize("variant", [variant for _, variant in VARIANTS], ids=lambda v: v.write)
def test_only_keyword_arguments_are_left_out(variant: Variant) -> None:
    for template in filter(None, (variant.write, variant.unscaled)):
        assert template.count("?}") == len(KEYWORD.findall(template))


@pytest.mark.parametrize("variant", [variant for _, variant in VARIANTS], ids=lambda v: v.write)
def test_what_is_needed_is_what_is_written(variant: Variant) -> None:
    written = {name for name in SUPPORT if re.search(rf"(?<!\.)\b{name}\(", variant.write)}
    assert set(variant.needs) == written


def optional_arguments(template: str) -> list[tuple[Any, str, str]]:
    """The Optax function, its keyword and flax's name of every `keyword={name?}`."""
    marked = re.sub(r"\{(\w+)(\??)\}", lambda m: m[1] + ("_optional" if m[2] else ""), template)
    return [
        (_function(call.func), keyword.arg or "", keyword.value.id.removesuffix("_optional"))
        for call in ast.walk(ast.parse(marked))
        if isinstance(call, ast.Call)
        for keyword in call.keywords
        if isinstance(keyword.value, ast.Name) and keyword.value.id.endswith("_optional")
    ]


def _function(node: ast.expr) -> Any:
    chosen = node.body if isinstance(node, ast.IfExp) else node
    return eval(ast.unparse(chosen), namespace())


def test_a_wrong_default_would_be_seen() -> None:
    ((function, keyword, name),) = optional_arguments("optax.sgd(0.1, momentum={beta?})")
    assert (function, keyword, name) == (optax.sgd, "momentum", "beta")
    assert inspect.signature(function).parameters[keyword].default != 0.9
