"""Rules trained by the engine of `flax2optax verify`: the real flax.optim against what a rule writes."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax

from flax2optax.verify.mutants.catalogue import Program
from flax2optax.verify.mutants.judge import Judge
from flax2optax.verify.mutants.models import Model
from flax2optax.verify.mutants.train import Leaves, Places, common, namespace
from flax2optax.verify.rules import trees
from flax2optax.verify.verdict import Verdict

State = Mapping[str, str]


def trained(
    optim: Any, program: Program, state: State | None = None, model: Model | None = None
) -> Verdict:
    """Parameters, the state that has the same name on both sides, and `state` where a rule says it is."""
    model = model or model_for(program.flax)
    places = partial(_with_rule, _paths_of(program.optax, model), state or {})
    return Judge(optim, model, places).right(program).verdict


def model_for(flax: str) -> Model:
    """WeightNorm cannot take scalars."""
    return trees("float64", scalars="WeightNorm" not in flax)


def _paths_of(source: str, model: Model) -> Any:
    """The transformation's state with the path of each leaf in place of the leaf."""
    tx = eval(source, namespace())
    state = jax.eval_shape(tx.init, model.start()[0])
    return jax.tree_util.tree_map_with_path(
        lambda path, _: "state/" + jax.tree_util.keystr(path, simple=True, separator="/"), state
    )


def _with_rule(
    opt_state: Any, state: State, before: Sequence[Leaves], after: Sequence[Leaves]
) -> Places:
    found = dict(common(before, after))
    for field, place in state.items():
        subtree = eval(f"opt_state{place.removeprefix('-')}", {"opt_state": opt_state})
        leaves, _ = jax.tree_util.tree_flatten_with_path(subtree)
        for path, at in leaves:
            param = jax.tree_util.keystr(path, simple=True, separator="/")
            old = "state/step" if field == "step" else f"state/param_states/{param}/{field}"
            found[f"rule/{old}"] = (old, at, -1 if place.startswith("-") else 1)
    return found
