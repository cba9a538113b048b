"""Every way to import flax.optim × every rule: the constructor becomes what the rule's example says, the import goes."""

import re

import pytest
from migration import check_unchanged, migrated, text_of, told

from flax2optax_rules import RULES

FORMS = {
    "import flax": ("import flax", "flax.optim.{}"),
    "import flax as an alias": ("import flax as fx", "fx.optim.{}"),
    "import flax.optim": ("import flax.optim", "flax.optim.{}"),
    "import flax.optim as an alias": ("import flax.optim as fo", "fo.{}"),
    "from flax import optim": ("from flax import optim", "optim.{}"),
    "from flax import optim as an alias": ("from flax import optim as opt_lib", "opt_lib.{}"),
    "from flax.optim import the class": ("from flax.optim import {}", "{}"),
    "from flax.optim import the class as an alias": ("from flax.optim import {} as Made", "Made"),
    "from a submodule": ("from flax.optim.{module} import {}", "{}"),
    "star": ("from flax.optim import *", "{}"),
    "an alias of the module": ("import flax\noptim = flax.optim", "optim.{}"),
    "inside of the function": (None, "optim.{}"),
}
MODULES = {"GradientDescent": "sgd", "MultiOptimizer": "base", "WeightNorm": "weight_norm"}
INNER = re.compile(r"\boptim\.(\w+)")


def program(form: str, name: str) -> tuple[str, str]:
    """A module that makes one optimizer by a rule's first example, and the example's Optax."""
    statement, spelled = FORMS[form]
    example = RULES[name].examples[0]
    inner = sorted(set(INNER.findall(example.before)))

    head = statement or ""
    if "{}" in head:
        lines = []
        for one in inner:
            alias = head if one == name else head.replace(" as Made", "")
            lines.append(alias.format(one, module=MODULES.get(one, one.lower())))
        head = "\n".join(lines)
    made = INNER.sub(
        lambda m: spelled.format(m[1]) if m[1] == name else inner_name(form, m[1]), example.before
    )
    inside = "" if statement else "  from flax import optim\n"
    text = f"{head}\nimport jax.numpy as jnp\n\n\ndef create(params, kernels=None, biases=None):\n{inside}"
    return (
        text + f"  optimizer_def = {made}\n  return optimizer_def.create(params)\n",
        example.after,
    )


def inner_name(form: str, name: str) -> str:
    """How the same file spells another class."""
    spelled = FORMS[form][1]
    return name if spelled == "Made" else spelled.format(name)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", RULES)
def test_every_import_form_of_every_rule(form, name):
    before, expected = program(form, name)
    outcome = migrated(before)
    after = text_of(outcome, before)
    assert told(outcome) == [], after
    assert re.sub(r"\s+", "", expected) in re.sub(r"\s+", "", after)
    assert not re.search(r"^\s*(import|from) .*\boptim\b", after, re.MULTILINE)
    assert "flax.optim" not in re.sub(r'"""flax.optim.*', "", after)


NOTHING_OF_OURS = {
    "a module of the user's own": "import optim\n\noptimizer = optim.Adam(1e-3)\n",
    "torch": "from torch import optim\n\noptimizer = optim.Adam(model.parameters(), 1e-3)\n",
    "optax already": "import optax\n\ntx = optax.adam(1e-3)\n",
    "jax's optimizers": "from jax.example_libraries import optimizers\n\ninit, update, get = optimizers.adam(1e-3)\n",
    "a shadowed name": (
        "import flax\n\n\ndef train(flax):\n  return flax.optim.Adam(1e-3)\n\n\nmodel = flax.linen.Dense(2)\n"
    ),
    "a method of the user's own": (
        "class Model:\n  def apply_gradient(self, grads):\n    return self\n\n\n"
        "def step(model: Model, grads):\n  return model.apply_gradient(grads)\n"
    ),
    "words in strings": "TEXT = 'flax.optim.Adam(learning_rate=0.1)'\n# from flax import optim\n",
}


@pytest.mark.parametrize("text", NOTHING_OF_OURS.values(), ids=NOTHING_OF_OURS)
def test_what_is_not_ours_stays(text):
    check_unchanged(text)
