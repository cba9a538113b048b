"""A function per class of flax.optim that takes the class's own arguments, for calls whose arguments are computed.

`optim.Adam(**config)` becomes `flax_adam(**config)`: Python binds the arguments as flax's signature did.
Where the steps give the rate it is `unscaled_adam(**config)`.
Both are made from the class's rule, with every argument a variable; a class whose rule must see one has none.
"""

import re
from collections.abc import Iterable, Iterator
from textwrap import fill, indent

from .signature import hyper_params
from .template import RuleError, choose, defaults, render
from .types import OptimizerRule, Support, Variant

WIDTH = 78
_KEPT = "\0"  # a space that is no place to break a line
RAISES = """\
if learning_rate is None:
  raise ValueError('No learning rate is given.')
"""


def function_name(flax: str, *, unscaled: bool) -> str:
    """The name of the function that stands for a class."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", flax).lower()
    return f"{'unscaled' if unscaled else 'flax'}_{words}"


def variant_for_any(rule: OptimizerRule) -> Variant:
    """The variant that is right whatever the arguments are; raises `RuleError`."""
    if "learning_rate" not in hyper_params(rule):
        raise RuleError("it has no arguments by name")
    return choose(rule, {name: name for name in hyper_params(rule)})


def functions(rules: Iterable[tuple[str, OptimizerRule]]) -> Iterator[Support]:
    """The functions of all classes that can have one."""
    for name, rule in rules:
        try:
            variant = variant_for_any(rule)
        except RuleError:
            continue
        yield _function(name, rule, variant.write, unscaled=False)
        if variant.unscaled is not None:
            yield _function(name, rule, variant.unscaled, unscaled=True)


def _function(name: str, rule: OptimizerRule, template: str, *, unscaled: bool) -> Support:
    written = {argument: argument for argument in hyper_params(rule)}
    known = defaults(rule)
    called = function_name(name, unscaled=unscaled)
    listed = ", ".join(f"{key}={known.get(key, 'None')}" for key in written)
    what = "the steps give the rate" if unscaled else "by its arguments"
    result = _wrapped(f"return {render(template, written, known)}")
    body = f'"""flax.optim.{name}: {what}."""\n{"" if unscaled else RAISES}{result}\n'
    text = _wrapped(f"def {called}({listed}):") + "\n" + indent(body, "  ")
    modules = {"jnp.": "import jax.numpy as jnp", "optax.": "import optax"}
    needed = [line for mark, line in modules.items() if mark in text]
    why = f"The arguments of flax.optim.{name} are computed; this takes the same ones."
    return Support(called, text, tuple(needed), why)


def _wrapped(line: str) -> str:
    """Break a long line between the arguments of its outermost call, or its parameters."""
    if len(line) + 2 <= WIDTH:
        return line
    commas = list(_commas(line))
    start = commas[0]
    ends = [*commas[1:], len(line)]
    parts = [line[a:b].strip() for a, b in zip(commas, ends, strict=True)]
    whole = " ".join(part.replace(" ", _KEPT) if len(part) < WIDTH - 8 else part for part in parts)
    text = fill(
        whole, WIDTH - 2, initial_indent="    ", subsequent_indent="    ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return f"{line[:start]}\n{text.replace(_KEPT, ' ')}"


def _commas(line: str) -> Iterator[int]:
    """Where the outermost call's first argument begins, and where each of its others does."""
    last = line.rindex(")")
    depth, starts = 0, []
    for index in range(last, -1, -1):
        depth += {")": 1, "(": -1}.get(line[index], 0)
        if line[index] == "," and depth == 1:
            starts.append(index + 1)
        if depth == 0:
            starts.append(index + 1)
            break
    return reversed(starts)
